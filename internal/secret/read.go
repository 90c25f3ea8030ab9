package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSize bounds a secret: a token's secret is 64 characters, and a file that
// is larger than this is not a password file.
const maxSize = 4 << 10

// credentialsDirectory is where systemd puts the credentials of a service
// (LoadCredential= and its kin).
const credentialsDirectory = "CREDENTIALS_DIRECTORY"

// ReadFile reads a secret from a file that holds it on one line. One line end
// at its end is not part of the secret; blanks are.
//
// A file that others than its owner can read is refused, with the command that
// puts it right. On Unix that is one that its group or others have any right on;
// on Windows one whose access list lets in Everyone, Users, Authenticated Users
// or a group as wide. What a narrower group means only its administrator knows.
//
// Errors name the file and the remedy, never the content.
func ReadFile(path string) (String, error) {
	return read(path, !isCredential(path))
}

// Credential reads the systemd credential brodaemon.NAME. It says false when
// the process was given no credentials, or none of that name.
//
// Its mode is not checked: systemd keeps credentials in a private place of the
// service and grants access by a list, which a mode shows as a right of the group.
func Credential(name string) (String, bool, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\:`) || strings.ContainsRune(name, 0) {
		return String{}, false, fmt.Errorf("credential %q: a name may not be empty or hold a slash, backslash or colon", name)
	}
	dir := os.Getenv(credentialsDirectory)
	if dir == "" {
		return String{}, false, nil
	}
	s, err := read(credentialPath(name), false)
	if errors.Is(err, fs.ErrNotExist) {
		return String{}, false, nil
	}
	return s, err == nil, err
}

// credentialPath is where the credential of a token would be.
func credentialPath(name string) string {
	return filepath.Join(os.Getenv(credentialsDirectory), "brodaemon."+name)
}

// isCredential says whether a path lies right in the credentials directory: a
// configuration may name such a file instead of relying on Credential.
func isCredential(path string) bool {
	dir := os.Getenv(credentialsDirectory)
	return dir != "" && filepath.Clean(filepath.Dir(path)) == filepath.Clean(dir)
}

func read(path string, private bool) (String, error) {
	fail := func(err error) (String, error) { return String{}, fmt.Errorf("read secret: %w", err) }

	// Looked at before it is opened: opening a named pipe would wait for a writer.
	if info, err := os.Stat(path); err != nil {
		return fail(err)
	} else if !info.Mode().IsRegular() {
		return fail(fmt.Errorf("%s is not an ordinary file", path))
	}
	file, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer file.Close()
	if private {
		if err := checkPrivate(file); err != nil {
			return fail(err)
		}
	}
	content, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return fail(err)
	}
	text, err := Parse(content)
	if err != nil {
		return fail(fmt.Errorf("%s %w", path, err))
	}
	return text, nil
}

// Parse takes a secret out of what a file or a person's input holds: one line,
// with or without a line end. Its errors continue a sentence that begins with
// the name of where it came from, and never show the content.
func Parse(content []byte) (String, error) {
	text, err := parse(content)
	if err != nil {
		return String{}, err
	}
	return New(text), nil
}

// parse takes the secret out of a file's content. Its errors continue a
// sentence that begins with the file's name.
func parse(content []byte) (string, error) {
	if len(content) > maxSize {
		return "", fmt.Errorf("is larger than %d bytes: is it the right file?", maxSize)
	}
	if bytes.HasPrefix(content, []byte("\xff\xfe")) || bytes.HasPrefix(content, []byte("\xfe\xff")) {
		return "", errors.New("is written in UTF-16, as some editors and shells do: save it as plain text (UTF-8 or ASCII)")
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	content = bytes.TrimSuffix(content, []byte("\n"))
	content = bytes.TrimSuffix(content, []byte("\r"))
	switch text := string(content); {
	case strings.TrimSpace(text) == "":
		return "", errors.New("is empty: write the secret into it")
	case strings.ContainsAny(text, "\r\n"):
		return "", errors.New("has more than one line: keep the secret alone in it, on one line")
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || strings.ContainsRune(text, '\ufeff'): // a second mark
		return "", errors.New("holds characters that are no text: write the secret again as plain text")
	default:
		return text, nil
	}
}
