package watch

import (
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	tests := []struct {
		name string
		want nameKind
	}{
		{"put-17.xml", documentName},
		{"PUT-17.XML", documentName},
		{"put.17.Xml", documentName},
		{"put 17 (kopie).xml", documentName},
		{"put~1.xml", documentName},
		{"écluse.xml", documentName},
		{"report.attach.xml", documentName}, // there is no document "report"
		{"put-17.xml.note.txt", companionName},
		{"PUT-17.XML.NOTE.TXT", companionName},
		{"put-17.xml.attach.pdf", companionName},
		{"put-17.xml.attach.xml", companionName},
		{"put-17.xml.Attach.tekening.v2.dwg", companionName},
		{"put-17.pdf", otherName},
		{"put-17.xml.zip", otherName},
		{"xml", otherName},
		{"readme.note.txt", otherName},
		{"~$put-17.xml", temporaryName},
		{"~put-17.xml", temporaryName},
		{"put-17.xml~", temporaryName},
		{"put-17.xml.tmp", temporaryName},
		{"put-17.XML.TMP", temporaryName},
		{"put-17.xml.temp", temporaryName},
		{"put-17.xml.part", temporaryName},
		{"put-17.xml.partial", temporaryName},
		{"put-17.xml.filepart", temporaryName},
		{"put-17.xml.crdownload", temporaryName},
		{".put-17.xml.swp", temporaryName},
		{".put-17.xml", temporaryName},
		{"put-17.xml.lnk", temporaryName},
		{"._put-17.xml", systemName},
		{"Thumbs.db", systemName},
		{"desktop.ini", systemName},
		{".DS_Store", systemName},
		{"@eaDir", systemName},
		{"#recycle", systemName},
		{"$RECYCLE.BIN", systemName},
		{"System Volume Information", systemName},
		{".nfs000000000000001200000001", systemName},
		{MarkerName, ourOwn},
		{markerTemp, ourOwn},
		{".BRODAEMON-probe-1", ourOwn},
		{"put-15.xml.reason.txt", ourOwn},
		{"put-16.xml.receipt.json", ourOwn},
	}
	for _, tt := range tests {
		if got := classify(tt.name, lowered([]string{"*.XML"})); got != tt.want {
			t.Errorf("classify(%q) = %d, want %d", tt.name, got, tt.want)
		}
		ok, why := WouldTake(tt.name, []string{"*.XML"})
		if ok != (tt.want == documentName) || (why == "") != ok {
			t.Errorf("WouldTake(%q) = %v, %q", tt.name, ok, why)
		}
	}
}

// FuzzClassify: whatever the name, junk is never a document, not even where everything is included, and case does not matter.
func FuzzClassify(f *testing.F) {
	for _, seed := range []string{"a.xml", "~$a.xml", "a.xml.attach.", ".attach.", "İ.note.txt", "\xff.xml", "", "a.TMP", "\xb6\xb6\xb6\xb6\xb6.note.TXt"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		kind := classify(name, []string{"*"})
		lower := strings.ToLower(name)
		for _, junk := range []string{".tmp", ".part", ".filepart", ".crdownload"} {
			if strings.HasSuffix(lower, junk) && kind == documentName {
				t.Errorf("%q is a document", name)
			}
		}
		if (strings.HasPrefix(name, "~") || strings.HasPrefix(name, ".")) && kind == documentName {
			t.Errorf("%q is a document", name)
		}
		if again := classify(lower, []string{"*"}); again != kind {
			t.Errorf("%q is %d, in lower case %d", name, kind, again)
		}
		// in lower case bytes that are not UTF-8 become longer, so the name is compared as it is looked at
		if document, ok := companionOf(lower); ok && len(document) >= len(lower) {
			t.Errorf("companion %q of %q", name, document)
		}
	})
}
