package status

import (
	"brodaemon/internal/deliver"
	"brodaemon/internal/portal"
	"brodaemon/internal/queue"
)

// sayings are Dutch for the sentences of other rooms, by their codes (see
// [queue.Words]). {1} is the first particular; {1@} is it as a moment in local
// time, {1&} as the name of an environment; {2...} is what the words say that begin with the second. Some codes
// have a sentence that depends on more than that, in say.go.
var sayings = map[queue.Code]string{
	// of the queue
	queue.SayPutBack:        "De wachtrij is teruggezet uit een kopie van {1@}. Zoek in done/ en in het portaal op of het document sindsdien is aangeleverd, en geef het dan vrij of zet het stop.",
	queue.SaySinceCopy:      "De wachtrij is teruggezet ({2@}) uit een kopie van {1@}, die dit bestand niet kent, en het bestand is ouder dan dat. Het kan intussen zijn ingediend. Kijk in het portaal, en geef het dan vrij of zet het stop.",
	queue.SayBehindLost:     "Document {1}, over hetzelfde object, kwam hiervoor en kan niet meer worden gelezen. Kijk in het portaal wat daarvan is geworden.",
	queue.SayQueueLost:      "De wachtrij is verloren gegaan, en het grootboek of een deel ervan ook, zodat niemand weet of dit document is ingediend. Zoek in het portaal een levering van dit document en geef op de statuspagina het antwoord.",
	queue.SayBytesLost:      "De wachtrij is verloren gegaan, en de kopie van dit document ligt niet meer in de spool. Zoek in het portaal een levering van dit document en geef op de statuspagina het antwoord.",
	queue.SayBegunLost:      "De wachtrij is verloren gegaan, en volgens de kopie in de spool was het indienen van dit document begonnen. Zoek in het portaal een levering van dit document en geef op de statuspagina het antwoord.",
	queue.SayBegunOlder:     "De wachtrij was een oudere kopie van zichzelf: volgens de kopie van het document in de spool was er een indiening begonnen waar de wachtrij niets van wist. Zoek in het portaal een levering van dit document en geef op de statuspagina het antwoord.",
	queue.SayLedgerOlder:    "De wachtrij was een oudere kopie van zichzelf en het grootboek ernaast is beschadigd, zodat niemand weet of dit document intussen is ingediend. Zoek in het portaal een levering van dit document en geef op de statuspagina het antwoord.",
	queue.SayFromLedger:     "uit het grootboek",
	queue.SayFromSpool:      "uit de spool",
	queue.SayFromRemains:    "uit wat er van de wachtrij over was",
	queue.SayNotDelivered:   "een medewerker heeft aangegeven dat het niet is ingediend",
	queue.SayPersonAsked:    "op verzoek van een medewerker",
	queue.SayClockWrong:     "de klok van deze computer was verkeerd toen het tijdstip van de volgende poging werd bepaald",
	queue.SayPersonLooked:   "een medewerker heeft het nagekeken",
	queue.SayDelivery:       "levering {1}",
	queue.SayDeliveryFound:  "levering {1}, teruggevonden in het portaal",
	queue.SayDeliveryPerson: "levering {1}, opgezocht door een medewerker",
	queue.SaySameCancelled:  "Precies dit document is al ingediend als levering {4} (document {1}); daarna is document {1} hier stopgezet.",

	// of a document under way
	deliver.SayNotBegun:      "Het indienen is niet begonnen: vooraf kon niet worden vastgelegd dat het zou gebeuren.",
	deliver.SayWrongDelivery: "Levering {1} bevat {2} en niet dit document ({3}). Kijk in het portaal. Is dit document er niet, zet het dan stop en sla het opnieuw op.",
	deliver.SayOdd:           "Het portaal meldt dat levering {1} is doorgestuurd ({2}), maar niet dat de BRO het document heeft opgenomen ({3}). Bekijk de levering in het portaal.",
	deliver.SayRegisterFault: "Levering {1} is doorgestuurd, en daarna had de BRO zelf een storing ({2}). Het document kan alsnog worden opgenomen, dus sla het niet opnieuw op; vraag het de servicedesk van de BRO. Alleen als die zegt dat het niet in de BRO staat: zet het stop en sla het opnieuw op.",
	deliver.SayDeliveryGone:  "Het portaal kent levering {1} niet meer. Misschien heeft de bronhouder die verwijderd. Vraag het de bronhouder, en zet het document daarna stop.",
	deliver.SayNotShown:      "Het portaal toont levering {1} niet, en weigert dit token op dit moment.",
	deliver.SayOtherPortal:   "Dit document is op weg naar {1&}, maar map {2} levert nu aan bij {3&}. Zet het portaal van de map terug tot het document is afgehandeld, of zet het document stop.",
	deliver.SayOtherProject:  "Dit document staat in het portaal onder project {1}, maar map {2} levert nu aan onder project {3}. Zet het project van de map terug tot het document is afgehandeld, of zet het document stop.",
	deliver.SayCopyAgain:     "De kopie in de spool was weg en is opnieuw gemaakt van {1}.",
	deliver.SayBytesGone:     "Iemand heeft de kopie van dit document uit de spool gehaald, en {1} is er niet of is niet precies hetzelfde (SHA-256 {2}). Zet het oorspronkelijke bestand daar terug en geef het document dan vrij, of zet het stop.",
	deliver.SayLookedUp:      "Upload {1} is ingediend, maar het antwoord kwam niet aan. Het portaal toont geen levering van {2}.",
	deliver.SayLookedUpLost:  "De wachtrij is verloren gegaan en niemand weet of dit document is ingediend. Het portaal toont geen levering van een bestand waarvan de naam eindigt op {1}.",
	deliver.SayMayNotList:    "{1...} (Dit token mag de lijst van leveringen niet opvragen; dat er niets is gevonden zegt dus weinig.)",
	deliver.SayFilingOther:   "technische melding: {1}",
	deliver.SayFilingGone:    "Het kan niet worden verplaatst: iemand heeft de kopie uit de spool gehaald, en {1} is er niet of is niet precies hetzelfde (SHA-256 {2}). Zet het oorspronkelijke bestand daar terug; dan gaat het vanzelf verder.",
	deliver.SayFolderBack:    "de map is weer bereikbaar; dat was niet zo van {1@} tot {2@}",

	// of a document in the public register
	deliver.SayDeregistered: "Volgens het openbare register is {1} uit registratie genomen.",
	deliver.SayOtherParty:   "In het openbare register staat {1} op naam van bronhouder {2}, maar het document noemt {3}.",
	deliver.SayNotMoved:     "{1} staat in het openbare register, maar is daar niet gewijzigd sinds de levering van {2@} (laatste wijziging: {3@}).",
	deliver.SayConfirmed:    "{1}, volgens {2}",

	// of a file that is not taken yet
	deliver.SayNoFolder:     "map {1} staat niet in de configuratie",
	deliver.SayBadName:      "de bestandsnaam bevat ongeldige tekens (geen UTF-8); geef het bestand een andere naam",
	deliver.SayElsewhere:    "map {1} levert nu aan bij {2&}, maar heeft nog documenten onderweg naar {4&} (aantal: {3}); zet het portaal van de map terug tot ze zijn afgehandeld, of zet ze stop",
	deliver.SayTooLarge:     "{2...} Met {1} GB is het te groot om naar failed/ te worden verplaatst. Haal het hier weg.",
	deliver.SayReadChanged:  "het veranderde terwijl het werd gelezen; het wordt opnieuw geprobeerd",
	deliver.SayNotKept:      "het kon nu niet worden opgenomen en wordt opnieuw geprobeerd (technische melding: {1})",
	deliver.SayStopping:     "brodaemon stopt; het wordt na de start opgenomen",
	deliver.SayNoRoom:       "de schijf met de gegevensmap {1} heeft te weinig ruimte; het wordt opgenomen zodra er ruimte is",
	deliver.SayNotInQueue:   "het document waar het bij hoort staat nog niet in de wachtrij",
	deliver.SayOtherContent: "het is al eerder opgenomen met een andere inhoud, en die gaat mee met document {1}",
	deliver.SayMaybeBefore:  "de wachtrij is verloren gegaan en opnieuw gemaakt, dus het kan al zijn toegevoegd; kijk bij de levering, en voeg het zo nodig toe met brodaemon delivery note of attach",
	deliver.SayTooLate:      "het kwam te laat: document {1} is al afgehandeld",
	deliver.SayTooMany:      "document {1} heeft al {2} meegestuurde bestanden",

	// of a companion file
	deliver.SayNoteEmpty:    "het bestand is leeg",
	deliver.SayNoteLarge:    "een opmerking mag hoogstens {1} bytes zijn; sla de tekst op als bijlage (.attach.txt)",
	deliver.SayFileLarge:    "het is groter dan {1} MB",
	deliver.SayAddStopped:   "brodaemon werd gestopt terwijl het werd toegevoegd; kijk bij de levering in het portaal",
	deliver.SayAddLost:      "de wachtrij is na het indienen verloren gegaan en opnieuw gemaakt; kijk bij de levering in het portaal",
	deliver.SayNoEnricher:   "deze brodaemon is niet ingesteld om iets aan leveringen toe te voegen",
	deliver.SayNotReadAgain: "het kon niet worden gelezen (technische melding: {1})",
	deliver.SayHadOutcome:   "het document was al afgehandeld voordat dit bestand kon worden toegevoegd",

	// of a folder, and of a file in it, by package watch
	"watch.unseen":        "kan niet worden bekeken: {1...}",
	"watch.online-only":   "staat alleen online en nog niet op deze schijf; open het bestand één keer op deze computer, of maak het altijd beschikbaar",
	"watch.still-open":    "een ander programma heeft het bestand nog open; het wordt opnieuw geprobeerd",
	"watch.changed":       "het bestand is intussen veranderd; het wordt opnieuw bekeken",
	"watch.not-regular":   "het is geen gewoon bestand",
	"watch.system":        "het besturingssysteem meldt: {1}",
	"watch.other":         "technische melding: {1}",
	"watch.partial":       "{1...}",
	"watch.no-answer":     "er wordt op antwoord gewacht sinds {1}",
	"watch.marker-other":  "het is geschreven voor map {1}, of door een andere installatie van brodaemon",
	"watch.marker-damage": "technische melding: {1}",
	"watch.marker-write":  "{1...}",
	"watch.marker-record": "het herkenningsbestand is gemaakt, maar dat kan niet worden vastgelegd; tot dan wordt de map niet gebruikt (technische melding: {1})",
	"watch.set-to-poll":   "zo is het ingesteld",
	"watch.network-disk":  "{1} is een netwerkbestandssysteem, en dat meldt niet wat er elders verandert",
	"watch.events-failed": "de meldingen van het bestandssysteem werken niet; technische melding: {1}",
	"watch.renewed":       "het bewaken wordt opnieuw ingesteld",
	"watch.offline":       "de map is niet bereikbaar",
	"watch.events-limit":  "een grens van deze computer is bereikt; verhoog met sysctl fs.inotify.max_user_watches en fs.inotify.max_user_instances",

	// what error numbers mean
	"watch.missing":          "het bestaat niet; controleer het pad, en of de share verbonden is ({1})",
	"watch.not-a-folder":     "het is geen map; controleer het pad ({1})",
	"watch.rights":           "geen toegang; kijk of het account waaronder brodaemon draait de inhoud van de map mag weergeven, en wat erin staat mag lezen, wijzigen, hernoemen en verwijderen ({1})",
	"watch.read-only":        "de schijf of share is alleen-lezen; kijk hoe die is aangekoppeld en of de schijf in orde is ({1})",
	"watch.input-output":     "de schijf of de bestandsserver meldt een fout bij het lezen of schrijven; kijk of de server bereikbaar is ({1})",
	"watch.stale":            "de bestandsserver kent deze map niet meer; misschien moet die opnieuw worden aangekoppeld ({1})",
	"watch.server":           "de bestandsserver of de share is niet bereikbaar; kijk of de server aanstaat en het netwerk werkt ({1})",
	"watch.not-connected":    "de share is niet meer verbonden; misschien moet die opnieuw worden aangekoppeld ({1})",
	"watch.disk-gone":        "de schijf of share is weg; kijk of die verbonden is ({1})",
	"watch.not-ready":        "de schijf of share is niet gereed; kijk of die verbonden is ({1})",
	"watch.no-share":         "de bestandsserver antwoordt, maar heeft geen share met deze naam; controleer het pad ({1})",
	"watch.sign-on":          "de bestandsserver weigert het account of het wachtwoord; kijk naar het account waaronder brodaemon draait ({1})",
	"watch.ticket":           "de bestandsserver weigert de aanmelding; controleer het account en het Kerberos-ticket of wachtwoord ({1})",
	"watch.password-expired": "het wachtwoord van het account is verlopen; stel een nieuw in ({1})",
	"watch.account-disabled": "het account is uitgeschakeld ({1})",
	"watch.change-password":  "het wachtwoord van het account moet worden gewijzigd ({1})",
	"watch.account-locked":   "het account is geblokkeerd ({1})",
	"watch.no-controller":    "er is geen domeincontroller bereikbaar om het account te controleren ({1})",
	"watch.trust-broken":     "de vertrouwensrelatie tussen deze computer en het domein is verbroken ({1})",
	"watch.other-account":    "deze computer is al met een ander account verbonden met de bestandsserver; verbreek die verbinding ({1})",
	"watch.write-protected":  "de schijf is tegen schrijven beveiligd ({1})",
	"watch.full":             "de schijf is vol ({1})",
	"watch.busy":             "een ander programma heeft het open ({1})",
	"watch.too-many-here":    "brodaemon heeft te veel bestanden open ({1})",
	"watch.too-many":         "deze computer heeft te veel bestanden open ({1})",
	"watch.circle":           "het pad loopt via koppelingen die naar elkaar terugverwijzen ({1})",
	"watch.too-long":         "het pad is te lang ({1})",
}

// meanings are Dutch for what went wrong at the portal, in the middle of a sentence.
var meanings = map[portal.Meaning]string{
	portal.MeansUnavailable: "het portaal is niet bereikbaar of werkt nu niet",
	portal.MeansTooMany:     "te veel verzoeken",
	portal.MeansNoSecret:    "het geheim van het token kan niet worden gelezen",
	portal.MeansNoRight:     "het token heeft hier geen recht op",
	portal.MeansNoProject:   "er is voor dit token geen project met dit nummer",
	portal.MeansSignOn:      "de aanmelding is geweigerd",
	portal.MeansNoUpload:    "het portaal heeft deze upload niet",
	portal.MeansNoDelivery:  "het portaal heeft deze levering niet",
	portal.MeansNotToEnrich: "het portaal heeft deze levering of dit document niet",
	portal.MeansNoDocument:  "het portaal heeft dit document niet",
	portal.MeansDelivered:   "de upload is al ingediend",
	portal.MeansRefused:     "het portaal heeft het geweigerd",
	portal.MeansLocal:       "het kon vanaf hier niet worden verstuurd",
	portal.MeansInterrupted: "onderbroken",
	portal.MeansUnclear:     "het antwoord is niet te begrijpen",
}

// advices are Dutch for what a person can do about it, as sentences.
var advices = map[portal.Advice]string{
	portal.AdviseSlower:        "Wacht even. Blijft het zo, verlaag dan portal.requests_per_second.",
	portal.AdviseSecret:        "Zorg dat het account waaronder brodaemon draait het geheim van het token mag lezen (tokens[].password_file), of sla het op met: brodaemon token set.",
	portal.AdviseProject:       "Controleer het projectnummer van de map, portal.environment, en of het token bij dat project hoort.",
	portal.AdviseRight:         "Het portaal kent het token, maar het token heeft hier geen recht op. Kijk met brodaemon token test wat voor token het is, en of de machtiging van de bronhouder voor het project geldt.",
	portal.AdviseToken:         "Controleer de gebruikersnaam en het geheim van het token en het projectnummer. Het token moet bij deze omgeving horen, de machtiging van de bronhouder voor het project moet gelden en het project moet open zijn.",
	portal.AdviseDeleted:       "Vraag de bronhouder of de levering in het portaal is verwijderd.",
	portal.AdviseResolve:       "Zoek in het portaal de levering van deze upload op en geef op de statuspagina het nummer. Lever het document niet opnieuw aan.",
	portal.AdviseCorrect:       "Verbeter het document zoals het portaal aangeeft en sla het opnieuw op.",
	portal.AdviseDisk:          "Controleer de schijf met de gegevensmap, en of geen ander programma de bestanden daarin wijzigt.",
	portal.AdviseRedirect:      "Zet het uiteindelijke adres van het portaal in portal.url, en kijk of er geen proxy of inlogpagina in zijn plaats antwoordt.",
	portal.AdviseAddress:       "Kijk of portal.url het portaal zelf is en geen proxy of inlogpagina. Is dat zo, dan is het portaal misschien veranderd: geef deze melding dan door aan de makers van brodaemon.",
	portal.AdviseCertificate:   "Het certificaat van het portaal wordt hier niet vertrouwd. Wordt het TLS-verkeer op uw netwerk geïnspecteerd, zet dan het CA-certificaat van die inspectie in portal.ca_file. Controleer anders het adres en de klok van deze computer.",
	portal.AdviseName:          "De naam van het portaal is niet te vinden. Controleer portal.url en de naamservers van deze computer.",
	portal.AdviseProxy:         "De proxy vraagt om aanmelding. Zet gebruikersnaam en wachtwoord in HTTPS_PROXY, of laat een uitzondering maken voor het adres van het portaal.",
	portal.AdviseNetwork:       "Controleer het netwerk, de firewall en de proxy (HTTPS_PROXY). Het kan ook aan het portaal liggen.",
	portal.AdviseMaintenance:   "Wacht even. Blijft het zo, kijk dan of het portaal onderhoud meldt.",
	portal.AdviseMaybeEnriched: "Het kan toch zijn toegevoegd. Kijk in het portaal bij de levering voordat u het nog eens doet.",
	portal.AdviseEnrichToken:   "Voor opmerkingen en bestanden is een verrijkingstoken nodig, dat medewerkers van de bronhouder in het portaal maken. Dit token is van een andere soort of heeft geen recht op het project.",
	portal.AdviseEnrichNumber:  "Controleer het nummer en het project. Misschien heeft de bronhouder de levering verwijderd.",
	portal.AdviseEnrichRefused: "Zie wat het portaal zegt. Aan de levering zelf is niets veranderd.",
	portal.AdviseEnrichLocal:   "Zie wat er van de opmerking of het bestand wordt gezegd. Er is niets verstuurd.",
}

// operations are Dutch for what was being done at the portal.
var operations = map[portal.Op]string{
	portal.OpValidate:           "controleren",
	portal.OpOpenUpload:         "upload openen",
	portal.OpAddSourceDocument:  "document toevoegen",
	portal.OpSubmit:             "indienen",
	portal.OpDelivery:           "levering opvragen",
	portal.OpDeliveriesAwaiting: "leveringen opvragen",
	portal.OpProjects:           "projecten opvragen",
	portal.OpSourceDocument:     "document opvragen",
	portal.OpTransactions:       "transacties opvragen",
	portal.OpAddNote:            "opmerking toevoegen",
	portal.OpAttach:             "bestand toevoegen",
}

// faults are Dutch for what is wrong with a file of which more may come, by
// the kinds of package document; of any other, package archive says it.
var faults = map[string]string{
	"empty":         "Het bestand is leeg.",
	"incomplete":    "Het bestand is niet compleet: het einde van het document ontbreekt ({4}).",
	"nuls":          "In het bestand staan nulbytes waar tekst hoort te staan, zoals in een bestand dat nog niet helemaal is geschreven ({4}).",
	"notWellFormed": "Het bestand is nog geen goed XML-bestand ({4}; technische melding: {3}).",
}

// unfits are Dutch for why something is no note or file for a delivery.
var unfits = map[portal.UnfitWord]string{
	portal.UnfitLevel:    "de opmerking heeft geen bekend niveau",
	portal.UnfitEmpty:    "de opmerking is leeg",
	portal.UnfitLong:     "de opmerking is te lang; sla de tekst op als bijlage (.attach.txt)",
	portal.UnfitText:     "de opmerking is geen UTF-8-tekst; sla het bestand op als UTF-8",
	portal.UnfitNoName:   "het bestand heeft geen naam",
	portal.UnfitLongName: "de bestandsnaam is te lang; geef het een kortere",
	portal.UnfitName:     "de bestandsnaam is geen geldig UTF-8; geef het een andere naam",
	portal.UnfitSlash:    "in de bestandsnaam staat een schuine streep of een stuurteken; geef het een andere naam",
}

// registerTroubles are Dutch for why the public register could not be asked,
// by the kinds of package registry.
var registerTroubles = map[string]string{
	"unavailable":  "niet bereikbaar",
	"rate-limited": "te veel verzoeken",
	"rejected":     "het register gaf het niet (verzoek afgewezen)",
	"no-service":   "voor deze soort is er geen openbare dienst",
	"unexpected":   "het antwoord is niet te begrijpen",
	"local":        "het kon hier niet worden opgeslagen",
	"interrupted":  "onderbroken",
}
