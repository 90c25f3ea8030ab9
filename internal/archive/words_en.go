package archive

const (
	enSaveAgain = "Correct the document in the program it was made with and save it under the same name ({file}) in the folder {folder}. It is then tried again by itself. Once that has worked, this message disappears."
	enRemake    = "Let the program the document was made with save it again, under the same name ({file}), in the folder {folder}. It is then tried again by itself. Once that has worked, this message disappears."
	enMoveBack  = "If nothing in the document has to change, move it from here back to the folder {folder}. It is then tried once more."
	enRightFile = "Find the source document itself, or let the program you work with make it again, and save that in the folder {folder}."
	enNotHere   = "This file itself does not have to go to the BRO. Keep it somewhere else if you still need it, or throw it away together with this message."
	enDrop      = "If the document is no longer needed, throw it away together with this message."
	enAskMaker  = "If this happens more often, ask the maker of that program for help, and pass on the technical message at the end of this one."
	enNothing   = "Nothing was delivered, and nothing has changed in the BRO."
	enNeverUndo = "A double registration can never be taken out of the BRO again."
)

// enDocument is a fault in the file itself; the title is the same for all.
func enDocument(summary string, steps ...string) wording {
	return wording{title: "{file} was not delivered", summary: summary, more: []string{enNothing}, steps: steps}
}

var english = words{
	happened:   "WHAT HAPPENED",
	portalSays: "WHAT THE PORTAL SAYS",
	todo:       "WHAT YOU CAN DO NOW",
	read:       "Read above what is wrong.",
	questions:  "QUESTIONS?",
	whom:       "If this does not help, send this message to the administrator of brodaemon at your office. About the contents of the document or about a delivery, the service desk of the BRO can help too. Always pass on these details:",
	unknown:    "unknown",
	atLine:     "The place in the file: line %d, %d bytes from the start.",
	atByte:     "The place in the file: %d bytes from the start.",
	andMore:    "and %d more messages",
	months: [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September",
		"October", "November", "December"},
	labels: labels{
		file: "File", folder: "Folder", document: "Number in brodaemon", kind: "Kind of document",
		requestReference: "Request reference", broID: "BRO-ID", delivery: "Delivery", upload: "Upload",
		portalDocument: "Source document", project: "Project", environment: "Environment", time: "Time", timeUTC: "Time (UTC)",
		sha256: "SHA-256", code: "Code", detail: "Technical message", note: "Note",
		firstFile: "Earlier: file", firstDocument: "Earlier: number", firstDelivery: "Earlier: delivery",
		firstBROID: "Earlier: BRO-ID", firstTime: "Earlier: time",
	},
	reasons: map[ReasonCode]wording{
		NotValid: {
			title:   "{file} was not delivered: it has errors",
			summary: "The Bronhouderportaal has checked {file} and found errors in it.",
			more:    []string{enNothing},
			steps: []string{enSaveAgain,
				"Was the cause something else, such as an earlier document that was not in the BRO yet, and is that in order now? Then move the document from here back to the folder {folder}. It is then tried once more."},
		},
		RefusedByPortal: {
			title:   "{file} was not delivered: the portal did not accept it",
			summary: "The Bronhouderportaal did not accept {file}.",
			more:    []string{enNothing},
			steps:   []string{enSaveAgain, enMoveBack},
		},
		RefusedInDelivery: {
			title:   "{file} was refused after it was delivered",
			summary: "{file} was delivered (delivery {delivery}), but was then refused in the Bronhouderportaal.",
			more:    []string{"The document was not taken up in the BRO."},
			steps: []string{"Look in the Bronhouderportaal, at delivery {delivery}, what was refused and by whom.",
				enSaveAgain, enMoveBack},
		},
		RefusedByRegister: {
			title:   "{file} was refused by the BRO",
			summary: "{file} was delivered (delivery {delivery}) and passed on by the Bronhouderportaal, but the national register of the BRO refused it.",
			more:    []string{"The document was not taken up in the BRO. This can also happen to a document that was in order at first, for instance when another document about the same object was taken up meanwhile."},
			steps: []string{"Look in the Bronhouderportaal, at delivery {delivery}, why it was refused.",
				enSaveAgain, enMoveBack},
		},
		DuplicateDocument: {
			title:   "{file} was not delivered a second time",
			summary: "{file} is exactly the same as {first}, a document that was brought in earlier.",
			more:    []string{"Therefore it was not delivered again. " + enNeverUndo, "The end of this message says which earlier document it is."},
			steps: []string{"Was the file saved twice by mistake? Then all is well. Throw this file away together with this message.",
				"Should another document have been here? Then save the right document in the folder {folder}. Moving this file back does not help: it ends up here again."},
		},
		CancelledByPerson: {
			title:   "The delivery of {file} was called off",
			summary: "The administrator called off the delivery of {file} before it was submitted.",
			more:    []string{enNothing},
			steps: []string{"If you do not know why, ask the administrator.",
				"Must the document be delivered after all? Then move it from here back to the folder {folder}.", enDrop},
		},
		cancelledSubmitted: {
			title:   "{file} is no longer followed, but it was submitted",
			summary: "The administrator stopped following {file}, but by then the document had been submitted to the Bronhouderportaal (delivery {delivery}).",
			more:    []string{"That delivery still exists. So the document may still get into the BRO, or be there already."},
			steps: []string{"Look in the Bronhouderportaal what became of delivery {delivery}.",
				"Was the document taken up in the BRO? Then there is nothing left to do.",
				"Only deliver the document again if it is certain that this delivery does not go through. " + enNeverUndo},
		},
		cancelledUncertain: {
			title:   "It is not certain whether {file} was delivered",
			summary: "The administrator called off the delivery of {file} while it was not certain whether the Bronhouderportaal had received it.",
			more:    []string{"So there may be a delivery of this document, though its number is not known (upload {upload})."},
			steps: []string{"Look up in the Bronhouderportaal whether this document is there already.",
				"Only deliver it again if it is certain that it is not. " + enNeverUndo},
		},
		anyOther: {
			title:   "{file} was not delivered",
			summary: "{file} could not be delivered ({detail}).",
			steps:   []string{enSaveAgain, enMoveBack},
		},

		"document-empty": enDocument("{file} is empty: there is nothing in it.",
			enRemake, enDrop),
		"document-incomplete": enDocument("{file} is not complete: the end of the document is missing, and nothing was added even after a long wait.",
			"See whether saving or copying was cut short, for instance by a full disk or a lost connection.", enRemake),
		"document-nuls": enDocument("In {file} there is empty space where text should be. That happens when saving or copying is cut short.",
			enRemake, "Was it a copy? Then see whether the original is whole, and copy that again."),
		"document-not-well-formed": enDocument("{file} is not a proper XML file: there is an error in the way it is built up.",
			"Was the file changed by hand? Then make that change in the program the document was made with.", enRemake, enAskMaker),
		"document-doctype": enDocument("At the top of {file} there is a DOCTYPE. It does not belong in a source document and is refused for reasons of security.",
			enRemake, enAskMaker),
		"document-second-root": enDocument("In {file} something else follows after the end of the document, such as a second document.",
			"Each document must have its own file. Save each document separately in the folder {folder}.", enDrop),
		"document-too-deep": enDocument("{file} is not built up as a source document can be: its parts lie far too deep inside each other.",
			enRemake, enAskMaker),
		"document-tag-too-large": enDocument("{file} is not built up as a source document can be: one of its parts is impossibly large.",
			enRemake, enAskMaker),
		"document-head-too-large": enDocument("The beginning of {file}, which says what kind of document it is, is far larger than that of a source document can be.",
			enRemake, enAskMaker),
		"document-unsupported-encoding": enDocument("{file} was saved in a character encoding that is not supported ({detail}).",
			"When saving, choose the encoding UTF-8.", enRemake, enAskMaker),
		"document-wrong-encoding": enDocument("In {file} there are characters that do not fit the encoding that the file itself names. Often these are letters with an accent, or signs such as ° and µ.",
			"When saving, choose the encoding UTF-8. Was the file changed by hand, for instance in Notepad? Then make that change in the program the document was made with.", enRemake, enAskMaker),
		"document-xml-version": enDocument("{file} was made in a version of XML that is not supported ({detail}). Only version 1.0 is accepted.",
			enRemake, enAskMaker),
		"document-answer": enDocument("{file} is an answer that was downloaded from the BRO, not a source document.",
			enRightFile, enNotHere),
		"document-intake-answer": enDocument("{file} is a confirmation by the BRO of an earlier delivery, not a source document.",
			enRightFile, enNotHere),
		"document-soap": enDocument("{file} is a message in an envelope of an older interface (SOAP), not a source document by itself.",
			"Is the source document inside the envelope? Then let the program you work with save it without the envelope in the folder {folder}.", enNotHere),
		"document-gef": enDocument("{file} is a GEF file, not a source document in XML.",
			"Convert the GEF file to a source document for the BRO, and save that in the folder {folder}.", enNotHere),
		"document-zip": enDocument("{file} is a packed file, such as a zip, not a single document.",
			"Unpack it and save each document separately in the folder {folder}.", enNotHere),
		"document-web-page": enDocument("{file} is a web page, not a source document. Often it is an error message or a sign-on screen that was saved while downloading.",
			enRightFile, enNotHere),
		"document-json": enDocument("{file} is a JSON file, not a source document in XML.",
			enRightFile, enNotHere),
		"document-pdf": enDocument("{file} is a PDF, not a source document.",
			enRightFile, enNotHere),
		"document-not-xml": enDocument("{file} is not an XML file, though it may be called one.",
			enRightFile, enNotHere),
		"document-bare-body": enDocument("In {file} there are data ({root}), but the request to the BRO that they belong in is missing.",
			"Let the program you work with save the whole source document: the request (a registration or correction, for instance) with the data in it. Save that in the folder {folder}.", enAskMaker),
		"document-unknown-request": enDocument("{file} is a request to the BRO, but not of a kind that delivers anything ({root}).",
			"See whether there is a newer version of the program the document was made with.", enRemake, enAskMaker),
		"document-not-bro": enDocument("{file} is an XML file, but not a document for the BRO: it begins with {root}.",
			enRightFile, enNotHere),
		"document-several-documents": enDocument("In {file} there are several documents together.",
			"Each document must have its own file. Save each document separately in the folder {folder}.", enDrop),
		documentOther: enDocument("{file} can't be delivered ({detail}).",
			enRemake, enAskMaker),
	},
	environments: map[string]string{"production": "production", "acceptance": "acceptance", "demo": "demo"},
	otherPortal:  "other (%s)",
	hints: map[Kind]string{
		Full:         "The disk is full. Make room; then it goes on by itself.",
		Permission:   "Give the account that brodaemon runs under the right to read, create, rename and delete here.",
		ReadOnly:     "The disk or share is read-only. See how it is mounted and whether the disk is in trouble; once it is writable it goes on by itself.",
		Gone:         "The folder or the server is out of reach. See whether the folder is still there and the connection works; then it goes on by itself.",
		InUse:        "Another program holds the file open. Close it there; then it goes on by itself.",
		OtherVolume:  "These directories must be on the same volume. Put done_dir and failed_dir on the volume of the folder.",
		SpoolDamaged: "brodaemon's own copy is damaged or can't be read. Check the disk of data_dir, and restore the file from a backup.",
		Other:        "The error message says what is the matter. Once that is solved, it goes on by itself.",
	},
}
