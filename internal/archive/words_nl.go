package archive

// The texts speak to the people who make the documents: plain words, no
// explanation of how brodaemon works inside, and always a next step.
const (
	nlSaveAgain = "Verbeter het document in het programma waarmee het is gemaakt en sla het op onder dezelfde naam ({file}) in de map {folder}. Het wordt dan vanzelf opnieuw aangeboden. Is dat gelukt, dan verdwijnt dit bericht."
	nlRemake    = "Laat het programma waarmee het document is gemaakt het opnieuw opslaan, onder dezelfde naam ({file}), in de map {folder}. Het wordt dan vanzelf opnieuw aangeboden. Is dat gelukt, dan verdwijnt dit bericht."
	nlMoveBack  = "Hoeft er aan het document niets te veranderen, verplaats het dan van hier terug naar de map {folder}. Het wordt dan nog eens aangeboden."
	nlRightFile = "Zoek het aanleverdocument zelf op, of laat het programma waarmee u werkt het opnieuw maken, en sla dat op in de map {folder}."
	nlNotHere   = "Dit bestand zelf hoeft niet naar de BRO. Bewaar het ergens anders als u het nog nodig hebt, of gooi het weg, samen met dit bericht."
	nlDrop      = "Is het document niet meer nodig, gooi het dan weg, samen met dit bericht."
	nlAskMaker  = "Komt dit vaker voor, vraag dan de leverancier van dat programma om hulp. Geef daarbij de technische melding onder aan dit bericht door."
	nlNothing   = "Er is niets aangeleverd en er is niets veranderd in de BRO."
	nlNeverUndo = "Een dubbele registratie kan nooit meer uit de BRO worden gehaald."
)

// nlDocument is a fault in the file itself; the title is the same for all.
func nlDocument(summary string, steps ...string) wording {
	return wording{title: "{file} is niet aangeleverd", summary: summary, more: []string{nlNothing}, steps: steps}
}

var dutch = words{
	happened:   "WAT ER IS GEBEURD",
	portalSays: "WAT HET PORTAAL ZEGT",
	todo:       "WAT U NU KUNT DOEN",
	read:       "Lees hierboven wat er niet klopt.",
	questions:  "VRAGEN?",
	whom:       "Komt u er niet uit, stuur dan dit bericht naar de beheerder van brodaemon op uw kantoor. Gaat het om de inhoud van het document of om een levering, dan kan ook de servicedesk van de BRO helpen. Geef altijd deze gegevens door:",
	unknown:    "onbekend",
	atLine:     "De plaats in het bestand: regel %d, %d bytes vanaf het begin.",
	atByte:     "De plaats in het bestand: %d bytes vanaf het begin.",
	andMore:    "en nog %d andere meldingen",
	months: [12]string{"januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september",
		"oktober", "november", "december"},
	labels: labels{
		file: "Bestand", folder: "Map", document: "Nummer in brodaemon", kind: "Soort document",
		requestReference: "Kenmerk van het verzoek", broID: "BRO-ID", delivery: "Levering", upload: "Upload",
		portalDocument: "Brondocument", project: "Project", environment: "Omgeving", time: "Tijd", timeUTC: "Tijd (UTC)",
		sha256: "SHA-256", code: "Code", detail: "Technische melding", note: "Toelichting",
		firstFile: "Eerder: bestand", firstDocument: "Eerder: nummer", firstDelivery: "Eerder: levering",
		firstBROID: "Eerder: BRO-ID", firstTime: "Eerder: tijd",
	},
	reasons: map[ReasonCode]wording{
		NotValid: {
			title:   "{file} is niet aangeleverd: er zitten fouten in",
			summary: "Het Bronhouderportaal heeft {file} gecontroleerd en er fouten in gevonden.",
			more:    []string{nlNothing},
			steps: []string{nlSaveAgain,
				"Ligt het aan iets anders, bijvoorbeeld aan een eerder document dat nog niet in de BRO stond, en is dat nu in orde? Verplaats het document dan van hier terug naar de map {folder}. Het wordt dan nog eens aangeboden."},
		},
		RefusedByPortal: {
			title:   "{file} is niet aangeleverd: het portaal nam het niet aan",
			summary: "Het Bronhouderportaal heeft {file} niet aangenomen.",
			more:    []string{nlNothing},
			steps:   []string{nlSaveAgain, nlMoveBack},
		},
		RefusedInDelivery: {
			title:   "{file} is na het aanleveren afgekeurd",
			summary: "{file} is aangeleverd (levering {delivery}), maar is daarna in het Bronhouderportaal afgekeurd.",
			more:    []string{"Het document is niet in de BRO opgenomen."},
			steps: []string{"Kijk in het Bronhouderportaal bij levering {delivery} wat er is afgekeurd, en door wie.",
				nlSaveAgain, nlMoveBack},
		},
		RefusedByRegister: {
			title:   "{file} is geweigerd door de BRO",
			summary: "{file} is aangeleverd (levering {delivery}) en door het Bronhouderportaal doorgestuurd, maar de landelijke registratie van de BRO heeft het geweigerd.",
			more:    []string{"Het document is niet in de BRO opgenomen. Dat kan ook gebeuren met een document dat eerst in orde was, bijvoorbeeld als er intussen een ander document over hetzelfde object is opgenomen."},
			steps: []string{"Kijk in het Bronhouderportaal bij levering {delivery} waarom het is geweigerd.",
				nlSaveAgain, nlMoveBack},
		},
		DuplicateDocument: {
			title:   "{file} is niet nog eens aangeleverd",
			summary: "{file} is precies gelijk aan {first}, een document dat al eerder is aangeboden.",
			more:    []string{"Het is daarom niet nog eens aangeleverd. " + nlNeverUndo, "Onder aan dit bericht staat om welk eerder document het gaat."},
			steps: []string{"Is het bestand per ongeluk twee keer opgeslagen? Dan is alles in orde. Gooi dit bestand weg, samen met dit bericht.",
				"Had hier een ander document moeten staan? Sla dan het juiste document op in de map {folder}. Dit bestand terugzetten helpt niet: het komt dan weer hier terecht."},
		},
		CancelledByPerson: {
			title:   "Het aanleveren van {file} is stopgezet",
			summary: "De beheerder heeft het aanleveren van {file} stopgezet voordat het was ingediend.",
			more:    []string{nlNothing},
			steps: []string{"Weet u niet waarom? Vraag het de beheerder.",
				"Moet het document toch worden aangeleverd? Verplaats het dan van hier terug naar de map {folder}.", nlDrop},
		},
		cancelledSubmitted: {
			title:   "{file} wordt niet meer gevolgd, maar is wel ingediend",
			summary: "De beheerder heeft het volgen van {file} stopgezet, maar het document was toen al ingediend bij het Bronhouderportaal (levering {delivery}).",
			more:    []string{"Die levering bestaat nog. Het document kan dus alsnog in de BRO komen, of er al in staan."},
			steps: []string{"Kijk in het Bronhouderportaal wat er met levering {delivery} is gebeurd.",
				"Is het document in de BRO opgenomen? Dan hoeft u niets meer te doen.",
				"Lever het document alleen opnieuw aan als zeker is dat deze levering niet doorgaat. " + nlNeverUndo},
		},
		cancelledUncertain: {
			title:   "Het is niet zeker of {file} is aangeleverd",
			summary: "De beheerder heeft het aanleveren van {file} stopgezet terwijl niet zeker was of het Bronhouderportaal het al had ontvangen.",
			more:    []string{"Er kan dus een levering van dit document bestaan, al is het nummer daarvan niet bekend (upload {upload})."},
			steps: []string{"Zoek in het Bronhouderportaal op of dit document er al is.",
				"Lever het alleen opnieuw aan als zeker is dat dit niet zo is. " + nlNeverUndo},
		},
		anyOther: {
			title:   "{file} is niet aangeleverd",
			summary: "{file} kon niet worden aangeleverd ({detail}).",
			steps:   []string{nlSaveAgain, nlMoveBack},
		},

		"document-empty": nlDocument("{file} is leeg: er staat niets in.",
			nlRemake, nlDrop),
		"document-incomplete": nlDocument("{file} is niet compleet: het einde van het document ontbreekt, en er kwam ook na lang wachten niets meer bij.",
			"Kijk of het opslaan of kopiëren is afgebroken, bijvoorbeeld door een volle schijf of een wegvallende verbinding.", nlRemake),
		"document-nuls": nlDocument("In {file} staat lege ruimte op de plaats van tekst. Dat gebeurt als het opslaan of kopiëren is afgebroken.",
			nlRemake, "Was het een kopie? Kijk dan of in het origineel wel alles staat, en kopieer dat opnieuw."),
		"document-not-well-formed": nlDocument("{file} is geen goed XML-bestand: er zit een fout in de manier waarop het is opgebouwd.",
			"Is het bestand met de hand aangepast? Maak die aanpassing dan in het programma waarmee het document is gemaakt.", nlRemake, nlAskMaker),
		"document-doctype": nlDocument("Boven in {file} staat een DOCTYPE. Dat hoort niet in een aanleverdocument en wordt om veiligheidsredenen geweigerd.",
			nlRemake, nlAskMaker),
		"document-second-root": nlDocument("In {file} volgt na het einde van het document nog iets anders, zoals een tweede document.",
			"Elk document moet een eigen bestand hebben. Sla elk document apart op in de map {folder}.", nlDrop),
		"document-too-deep": nlDocument("{file} is anders opgebouwd dan een aanleverdocument kan zijn: de onderdelen zitten veel te diep in elkaar.",
			nlRemake, nlAskMaker),
		"document-tag-too-large": nlDocument("{file} is anders opgebouwd dan een aanleverdocument kan zijn: één onderdeel is onmogelijk groot.",
			nlRemake, nlAskMaker),
		"document-head-too-large": nlDocument("Het begin van {file}, waarin staat wat voor document het is, is veel groter dan bij een aanleverdocument kan.",
			nlRemake, nlAskMaker),
		"document-unsupported-encoding": nlDocument("{file} is opgeslagen in een tekenset die niet wordt ondersteund ({detail}).",
			"Kies bij het opslaan de tekenset UTF-8.", nlRemake, nlAskMaker),
		"document-wrong-encoding": nlDocument("In {file} staan tekens die niet passen bij de tekenset die het bestand zelf noemt. Vaak zijn dat letters met een accent, of tekens als ° en µ.",
			"Kies bij het opslaan de tekenset UTF-8. Is het bestand met de hand aangepast, bijvoorbeeld in Kladblok? Maak die aanpassing dan in het programma waarmee het document is gemaakt.", nlRemake, nlAskMaker),
		"document-xml-version": nlDocument("{file} is gemaakt in een versie van XML die niet wordt ondersteund ({detail}). Alleen versie 1.0 wordt aangenomen.",
			nlRemake, nlAskMaker),
		"document-answer": nlDocument("{file} is een antwoord dat van de BRO is gedownload, geen aanleverdocument.",
			nlRightFile, nlNotHere),
		"document-intake-answer": nlDocument("{file} is een ontvangstbericht van de BRO over een eerdere aanlevering, geen aanleverdocument.",
			nlRightFile, nlNotHere),
		"document-soap": nlDocument("{file} is een bericht in een envelop van een oudere koppeling (SOAP), geen los aanleverdocument.",
			"Zit het aanleverdocument in de envelop? Laat het programma waarmee u werkt het dan zonder envelop opslaan in de map {folder}.", nlNotHere),
		"document-gef": nlDocument("{file} is een GEF-bestand, geen aanleverdocument in XML.",
			"Zet het GEF-bestand om naar een aanleverdocument voor de BRO, en sla dat op in de map {folder}.", nlNotHere),
		"document-zip": nlDocument("{file} is een ingepakt bestand, zoals een zip, en geen los document.",
			"Pak het uit en sla elk document apart op in de map {folder}.", nlNotHere),
		"document-web-page": nlDocument("{file} is een webpagina, geen aanleverdocument. Vaak is dat een foutmelding of inlogscherm dat bij het downloaden is opgeslagen.",
			nlRightFile, nlNotHere),
		"document-json": nlDocument("{file} is een JSON-bestand, geen aanleverdocument in XML.",
			nlRightFile, nlNotHere),
		"document-pdf": nlDocument("{file} is een PDF, geen aanleverdocument.",
			nlRightFile, nlNotHere),
		"document-not-xml": nlDocument("{file} is geen XML-bestand, ook al heet het misschien zo.",
			nlRightFile, nlNotHere),
		"document-bare-body": nlDocument("In {file} staan wel de gegevens ({root}), maar het verzoek aan de BRO waar ze in horen te zitten ontbreekt.",
			"Laat het programma waarmee u werkt het hele aanleverdocument opslaan: het verzoek (bijvoorbeeld een registratie of correctie) met de gegevens erin. Sla dat op in de map {folder}.", nlAskMaker),
		"document-unknown-request": nlDocument("{file} is wel een verzoek aan de BRO, maar geen soort waarmee iets kan worden aangeleverd ({root}).",
			"Kijk of het programma waarmee het document is gemaakt een nieuwere versie heeft.", nlRemake, nlAskMaker),
		"document-not-bro": nlDocument("{file} is wel een XML-bestand, maar geen document voor de BRO: het begint met {root}.",
			nlRightFile, nlNotHere),
		"document-several-documents": nlDocument("In {file} zitten verschillende documenten bij elkaar.",
			"Elk document moet een eigen bestand hebben. Sla elk document apart op in de map {folder}.", nlDrop),
		documentOther: nlDocument("{file} kan niet worden aangeleverd ({detail}).",
			nlRemake, nlAskMaker),
	},
	environments: map[string]string{"production": "productie", "acceptance": "acceptatie", "demo": "demo"},
	otherPortal:  "een ander portaal (%s)",
	hints: map[Kind]string{
		Full:         "De schijf is vol. Maak ruimte vrij; daarna gaat het vanzelf verder.",
		Permission:   "Geef het account waaronder brodaemon draait het recht om hier te lezen, te maken, te hernoemen en te verwijderen.",
		ReadOnly:     "De schijf of share is alleen-lezen. Kijk hoe die is aangekoppeld en of de schijf in orde is; zodra er geschreven kan worden gaat het vanzelf verder.",
		Gone:         "De map of de server is niet bereikbaar. Kijk of de map er nog is en of de verbinding werkt; daarna gaat het vanzelf verder.",
		InUse:        "Een ander programma houdt het bestand open. Sluit het daar; daarna gaat het vanzelf verder.",
		OtherVolume:  "Deze mappen moeten op hetzelfde volume staan. Zet done_dir en failed_dir op het volume van de map.",
		SpoolDamaged: "De eigen kopie van brodaemon is beschadigd of onleesbaar. Kijk de schijf van data_dir na, en zet het bestand terug uit een reservekopie.",
		Other:        "De foutmelding zegt wat er aan de hand is. Is dat verholpen, dan gaat het vanzelf verder.",
	},
}
