package portal

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter caps what a portal, or a confused proxy, can make us wait.
const maxRetryAfter = time.Hour

// kindOf says what a status code other than 2xx means in answer to an act.
//
// Only a call that carries a document or submits one can have it refused: a 400
// to a question about a delivery must not condemn the document. And the codes
// that speak of the form of a request, which is ours, condemn none either.
func kindOf(op Op, code int) Kind {
	switch {
	case code == http.StatusTooManyRequests:
		return RateLimited
	case code >= 500 && code <= 599:
		return Unavailable
	case code < 400 || code > 599:
		return Unexpected
	}
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return Unauthorized
	case http.StatusNotFound, http.StatusGone:
		switch op {
		case OpAddSourceDocument, OpSubmit, OpDelivery, OpSourceDocument, OpAddNote, OpAttach:
			return Gone
		default:
			return Unauthorized
		}
	case http.StatusConflict:
		if op == OpSubmit || op == OpAddSourceDocument {
			return Conflict
		}
	case http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly:
		return Unavailable
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusLengthRequired, http.StatusExpectationFailed,
		http.StatusUpgradeRequired, http.StatusPreconditionRequired, http.StatusRequestHeaderFieldsTooLarge:
		return Unexpected
	}
	if op.carriesDocument() || op.enriches() {
		return Refused
	}
	return Unexpected
}

// leavesDoubt says whether an answer with this code leaves open whether the
// request was carried out. Only a 4xx is a clear no; and not 408, which proxies
// also use when the server behind them took too long.
func leavesDoubt(code int) bool {
	return code < 400 || code > 499 || code == http.StatusRequestTimeout
}

// retryAfter reads the header of that name, seconds or a date, into 0…one hour.
// A date is taken against the answer's own Date, so that a wrong clock here
// does not count.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// untrusted says whether a TLS certificate was not accepted.
func untrusted(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}

// beforeSending says whether an error shows by its type that nothing of the
// request was sent yet.
func beforeSending(err error) bool {
	var (
		op     *net.OpError
		dns    *net.DNSError
		record tls.RecordHeaderError
	)
	return untrusted(err) || errors.As(err, &dns) || errors.As(err, &record) ||
		errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}
