// Package dousheng is what a Kitex client or server has in common with the services of Dousheng: discovery, proofs, validation, outcomes.
package dousheng

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxSkew is the most that the clocks of caller and service may differ.
const maxSkew = 5 * time.Minute

// Secrets are those of rpc.secret: the first makes proofs, each of them is accepted. Without any, no proof is asked for.
type Secrets []string

// ParseSecrets reads rpc.secret: "new,old", or empty.
func ParseSecrets(setting string) Secrets {
	var secrets Secrets
	for _, secret := range strings.Split(setting, ",") {
		if secret = strings.TrimSpace(secret); secret != "" {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

// Call is one attempt of a call.
type Call struct {
	// Service and Address of the instance, as in the registry; an IPv6 address has brackets.
	Service, Address string
	// Method as the IDL names it.
	Method string
	// Caller is the caller's name.
	Caller string
}

// Prove makes the proof of an attempt that begins now.
func (s Secrets) Prove(call Call) string {
	nonce := make([]byte, 8)
	rand.Read(nonce) // never fails
	return s.proveAt(call, time.Now(), hex.EncodeToString(nonce))
}

func (s Secrets) proveAt(call Call, now time.Time, nonce string) string {
	at := strconv.FormatInt(now.UnixMilli(), 10)
	return strings.Join([]string{"1", at, nonce, sign(s[0], call.lines(at, nonce)...)}, ".")
}

// SignRegistration makes the tag "signature" of an instance.
func (s Secrets) SignRegistration(service, address string) string {
	return sign(s[0], registration(service, address)...)
}

// IsOurs tells whether one of the secrets signed a registration.
func (s Secrets) IsOurs(service, address, signature string) bool {
	return s.fits(signature, registration(service, address)...)
}

func (s Secrets) fits(signature string, lines ...string) bool {
	fits := false
	for _, secret := range s {
		fits = hmac.Equal([]byte(sign(secret, lines...)), []byte(signature)) || fits
	}
	return fits
}

func (c Call) lines(at, nonce string) []string {
	return []string{"dousheng call 1", c.Service, c.Address, c.Method, c.Caller, at, nonce}
}

func registration(service, address string) []string {
	return []string{"dousheng registration 1", service, address}
}

func sign(secret string, lines ...string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(mac.Sum(nil))
}

// Why a proof is refused.
var (
	errNoProof  = errors.New("the call has no proof")
	errUnread   = errors.New("the proof can't be read")
	errTime     = errors.New("the proof is of another time")
	errUnfit    = errors.New("the proof doesn't fit")
	errUsed     = errors.New("the proof was used before")
	errLineFeed = errors.New("a name has a line feed")
)

// Verifier accepts each proof once, at one instance.
type Verifier struct {
	secrets Secrets
	mutex   sync.Mutex
	// The nonces since a time, and those of as long a time before. A proof is good no longer than that.
	since        time.Time
	seen, before map[string]bool
}

// NewVerifier accepts proofs that one of the secrets made.
func NewVerifier(secrets Secrets) *Verifier {
	return &Verifier{secrets: secrets, seen: map[string]bool{}}
}

// Verify tells why a proof isn't good for a call, or nil.
func (v *Verifier) Verify(call Call, proof string) error {
	return v.verifyAt(call, proof, time.Now())
}

func (v *Verifier) verifyAt(call Call, proof string, now time.Time) error {
	if proof == "" {
		return errNoProof
	}
	parts := strings.Split(proof, ".")
	if len(parts) != 4 || parts[0] != "1" || len(parts[2]) != 16 {
		return errUnread
	}
	at, nonce := parts[1], parts[2]
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return errUnread
	}
	if time.UnixMilli(ms).Sub(now).Abs() > maxSkew {
		return errTime
	}
	lines := call.lines(at, nonce)
	// Two names could be read as three.
	for _, line := range lines {
		if strings.Contains(line, "\n") {
			return errLineFeed
		}
	}
	if !v.secrets.fits(parts[3], lines...) {
		return errUnfit
	}
	// Last, so that only good proofs take memory.
	return v.take(nonce, now)
}

func (v *Verifier) take(nonce string, now time.Time) error {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if now.Sub(v.since) > 2*maxSkew {
		v.since, v.seen, v.before = now, map[string]bool{}, v.seen
	}
	if v.seen[nonce] || v.before[nonce] {
		return errUsed
	}
	v.seen[nonce] = true
	return nil
}
