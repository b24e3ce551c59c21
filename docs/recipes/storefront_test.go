// Recipes for Go. Run them beside an emulator, with its ADMIN_TOKEN if it has one:
//
//	EMULATOR_URL=http://127.0.0.1:8080 go test storefront_test.go
package storefront

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
)

type answer struct {
	Status int
	Code   int
	Token  string
	Keys   []json.RawMessage
	Text   string
}

func emulatorURL() string {
	if given := os.Getenv("EMULATOR_URL"); given != "" {
		return given
	}
	return "http://127.0.0.1:8080"
}

// play stands for your storefront: it gets a token for a viewer who presses Play.
func play(t *testing.T, viewer string, more map[string]string) answer {
	t.Helper()
	query := url.Values{
		"customerAuthenticator":       {"201722,1ad8eed133edf43cbcc185f0236828ae"},
		"errorFormat":                 {"json"},
		"cookie":                      {viewer},
		"kid":                         {"b366360da82e9c6e0b0984002a362cf2"},
		"contentKey":                  {"00112233445566778899aabbccddeeff"},
		"rightsType":                  {"BuyToOwn"},
		"analogVideoOPL":              {"0"},
		"compressedDigitalAudioOPL":   {"0"},
		"compressedDigitalVideoOPL":   {"0"},
		"uncompressedDigitalAudioOPL": {"0"},
		"uncompressedDigitalVideoOPL": {"0"},
	}
	for name, value := range more {
		query.Set(name, value)
	}
	return send(t, "GET", "/hms/pr/token?"+query.Encode(), "")
}

// redeem stands for a player: it asks for a licence with a token.
func redeem(t *testing.T, token string) answer {
	t.Helper()
	return send(t, "POST", "/hms/ck/rights/?ExpressPlayToken="+token, `{"kids":["s2Y2DagunG4LCYQAKjYs8g"]}`)
}

// admin controls the emulator.
func admin(t *testing.T, method, path, order string) {
	t.Helper()
	if got := send(t, method, "/admin/api"+path, order); got.Status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, got.Status, got.Text)
	}
}

func send(t *testing.T, method, path, body string) answer {
	t.Helper()
	request, err := http.NewRequest(method, emulatorURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if token := os.Getenv("ADMIN_TOKEN"); token != "" && strings.HasPrefix(path, "/admin/") {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := answer{Status: response.StatusCode, Text: string(text)}
	if strings.HasPrefix(got.Text, "{") {
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

// startOver brings balances, clock, faults, journal and log back to what they were at the start.
func startOver(t *testing.T) {
	t.Helper()
	admin(t, "POST", "/reset", "")
}

func TestMyTokenExpired(t *testing.T) {
	startOver(t)
	token := play(t, "viewer-1", map[string]string{"expirationTime": "+60"}).Token
	admin(t, "POST", "/clock/advance", `{"seconds":59}`)
	if got := redeem(t, token); len(got.Keys) != 1 {
		t.Errorf("before a minute is over: %s", got.Text)
	}
	admin(t, "POST", "/clock/advance", `{"seconds":2}`)
	if got := redeem(t, token); got.Code != -4010 {
		t.Errorf("after a minute: %s", got.Text)
	}
}

func TestTheCreditRanOut(t *testing.T) {
	startOver(t)
	admin(t, "POST", "/faults", `{"times":1,"effect":{"errorCode":-2019}}`)
	if got := play(t, "viewer-1", nil); got.Code != -2019 {
		t.Errorf("without credit: %s", got.Text)
	}
	if got := play(t, "viewer-1", nil); got.Token == "" {
		t.Errorf("with credit: %s", got.Text)
	}
}

func TestTheServiceIsDown(t *testing.T) {
	startOver(t)
	admin(t, "PUT", "/faults", `[{"effect":{"status":503,"retryAfter":120}}]`)
	if got := play(t, "viewer-1", nil); got.Status != http.StatusServiceUnavailable {
		t.Errorf("during the outage: %d", got.Status)
	}
	admin(t, "DELETE", "/faults", "")
	if got := play(t, "viewer-1", nil); got.Token == "" {
		t.Errorf("after the outage: %s", got.Text)
	}
}

func TestWhatDidMyCodeSend(t *testing.T) {
	startOver(t)
	play(t, "viewer-1", nil)
	admin(t, "POST", "/requests/verify",
		`{"pattern":{"path":"/hms/pr/token","parameters":{"cookie":"viewer-1"},"status":200},"times":1}`)
}
