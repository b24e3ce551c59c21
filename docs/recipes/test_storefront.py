"""Recipes for Python. Run them beside an emulator, with its ADMIN_TOKEN if it has one:

EMULATOR_URL=http://127.0.0.1:8080 pytest test_storefront.py
EMULATOR_URL=http://127.0.0.1:8080 python3 -m unittest test_storefront.py
"""

import json
import os
import unittest
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

URL = os.environ.get("EMULATOR_URL", "http://127.0.0.1:8080")
ADMIN_TOKEN = os.environ.get("ADMIN_TOKEN")

FILM = {
    "kid": "b366360da82e9c6e0b0984002a362cf2",
    "contentKey": "00112233445566778899aabbccddeeff",
    "rightsType": "BuyToOwn",
    "analogVideoOPL": 0,
    "compressedDigitalAudioOPL": 0,
    "compressedDigitalVideoOPL": 0,
    "uncompressedDigitalAudioOPL": 0,
    "uncompressedDigitalVideoOPL": 0,
}


class Refused(Exception):
    def __init__(self, code):
        super().__init__(f"refused with {code}")
        self.code = code


def play(viewer, **parameters):
    """Stands for your storefront: gets a token for a viewer who presses Play."""
    account = {"customerAuthenticator": "201722,1ad8eed133edf43cbcc185f0236828ae", "errorFormat": "json"}
    query = urlencode({**account, **FILM, "cookie": viewer, **parameters})
    return send(Request(f"{URL}/hms/pr/token?{query}"))["token"]


def redeem(token):
    """Stands for a player: asks for a licence with a token."""
    body = json.dumps({"kids": ["s2Y2DagunG4LCYQAKjYs8g"]}).encode()
    return send(Request(f"{URL}/hms/ck/rights/?ExpressPlayToken={token}", body))["keys"]


def admin(method, path, order=None):
    """Controls the emulator."""
    headers = {"content-type": "application/json"}
    if ADMIN_TOKEN:
        headers["authorization"] = f"Bearer {ADMIN_TOKEN}"
    body = None if order is None else json.dumps(order).encode()
    return send(Request(f"{URL}/admin/api{path}", body, headers, method=method))


def send(request):
    try:
        with urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")
    except HTTPError as error:
        text = error.read()
        raise Refused(json.loads(text)["code"] if text else error.code) from error


class StorefrontTest(unittest.TestCase):
    def setUp(self):
        admin("POST", "/reset")  # balances, clock, faults, journal and log as at the start

    def test_my_token_expired(self):
        token = play("viewer-1", expirationTime="+60")
        admin("POST", "/clock/advance", {"seconds": 59})
        self.assertTrue(redeem(token))
        admin("POST", "/clock/advance", {"seconds": 2})
        with self.assertRaises(Refused) as refusal:
            redeem(token)
        self.assertEqual(refusal.exception.code, -4010)

    def test_the_credit_ran_out(self):
        admin("POST", "/faults", {"times": 1, "effect": {"errorCode": -2019}})
        with self.assertRaises(Refused) as refusal:
            play("viewer-1")
        self.assertEqual(refusal.exception.code, -2019)
        self.assertTrue(play("viewer-1"))

    def test_the_service_is_down(self):
        admin("PUT", "/faults", [{"effect": {"status": 503, "retryAfter": 120}}])
        with self.assertRaises(Refused) as refusal:
            play("viewer-1")
        self.assertEqual(refusal.exception.code, 503)
        admin("DELETE", "/faults")
        self.assertTrue(play("viewer-1"))

    def test_what_did_my_code_send(self):
        play("viewer-1")
        pattern = {"path": "/hms/pr/token", "parameters": {"cookie": {"matches": "^viewer-"}}, "status": 200}
        admin("POST", "/requests/verify", {"pattern": pattern, "times": 1})


if __name__ == "__main__":
    unittest.main()
