package dousheng

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const (
	ours  = "0123456789abcdef0123456789abcdef"
	other = "fedcba9876543210fedcba9876543210"
)

var (
	call = Call{Service: "video", Address: "127.0.0.1:9000", Method: "mget_videos", Caller: "api"}
	now  = time.UnixMilli(1_700_000_000_000)
)

// The same two lines as in the tests of pkg/proof.
func TestProofsAreThoseOfTheServicesInRust(t *testing.T) {
	proof := Secrets{ours}.proveAt(call, now, "0000000000000abc")
	if want := "1.1700000000000.0000000000000abc.799d62db3f221423a9b134941d196cef3809614156fec2bc4b3d04673c98dd20"; proof != want {
		t.Errorf("%s instead of %s", proof, want)
	}
	if signature, want := (Secrets{ours}).SignRegistration("video", "127.0.0.1:9000"), "7d9b2574cad4e4a14ae3f092e189fd3b9e668bc951c835e6746cbd714f43922c"; signature != want {
		t.Errorf("%s instead of %s", signature, want)
	}
}

func TestAProofIsGoodForItsCallOnceAndForAWhile(t *testing.T) {
	proof := Secrets{other}.proveAt(call, now, "0000000000000001")
	elsewhere := call
	elsewhere.Method = "publish"
	forged := call
	forged.Caller = "api\nvideo"
	verifier := NewVerifier(ParseSecrets(ours + ", " + other))
	for _, attempt := range []struct {
		call  Call
		proof string
		now   time.Time
		want  error
	}{
		{call, "", now, errNoProof},
		{call, strings.Replace(proof, "1.", "2.", 1), now, errUnread},
		{call, proof + ".1", now, errUnread},
		{call, strings.Replace(proof, "1700000000000", "x", 1), now, errUnread},
		{call, proof, now.Add(maxSkew + time.Millisecond), errTime},
		{call, proof, now.Add(-maxSkew - time.Millisecond), errTime},
		{elsewhere, proof, now, errUnfit},
		{forged, proof, now, errLineFeed},
		{call, Secrets{"another"}.proveAt(call, now, "0000000000000001"), now, errUnfit},
		{call, proof, now.Add(maxSkew), nil},
		{call, proof, now, errUsed},
		{call, Secrets{ours}.proveAt(call, now, "0000000000000002"), now, nil},
	} {
		if got := verifier.verifyAt(attempt.call, attempt.proof, attempt.now); !errors.Is(got, attempt.want) {
			t.Errorf("%+v: %v", attempt, got)
		}
	}
	if len(ParseSecrets(" ,")) != 0 {
		t.Error("an empty setting has a secret")
	}
}
