"""A customer of RiskOS, an issuer of RDX and a VCAS, written from the partners' published pages alone, with
jwcrypto and urllib. One line of JSON for each step; the exit status is 1 if a step contradicts the pages. What is
not in the pages, and had to be learned from the other end, is marked "beyond the page".

    client.py certificate FOLDER riskos|rdx      makes FOLDER/private.pem and FOLDER/certificate.pem
    client.py customer FOLDER URL PROVIDER-CERTIFICATE API-KEY ERRORS
    client.py unexchanged FOLDER URL PROVIDER-CERTIFICATE API-KEY ERRORS
                                                 an account without a certificate exchange
    client.py issuer FOLDER ALIAS                serves until standard input ends
    client.py vcas URL ISSUER-CERTIFICATE ALIAS

ERRORS is a file with the page's table of errors: {"format": {"status": 400, "texts": ["…"]}, …}.
"""

import datetime
import http.server
import json
import pathlib
import sys
import threading
import urllib.error
import urllib.request
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from jwcrypto import jwe, jwk, jws

failed = False
one_line = threading.Lock()


class Deviation(Exception):
    """A step contradicts the pages."""


def need(holds, otherwise):
    if not holds:
        raise Deviation(otherwise)


def step(name, run):
    global failed
    line = {"step": name}
    try:
        line |= run() | {"ok": True}
    except Exception as e:
        failed = True
        line |= {"ok": False, "why": str(e) if isinstance(e, Deviation) else repr(e)}
    with one_line:
        print(json.dumps(line), flush=True)


# Keys and certificates.


def certificate(folder, kind):
    rdx = kind == "rdx"
    key = rsa.generate_private_key(65537, 4096 if rdx else 2048)
    name = x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Python Bank"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Keys"),
        x509.NameAttribute(NameOID.COMMON_NAME, "python.example"),
    ])
    usage = dict.fromkeys(("content_commitment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
                           "encipher_only", "decipher_only"), False)
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=730))
        .add_extension(x509.KeyUsage(digital_signature=not rdx, key_encipherment=True, **usage), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.RFC822Name("keys@python.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "private.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def private_key(folder):
    return jwk.JWK.from_pem((pathlib.Path(folder) / "private.pem").read_bytes())


def public_key(file):
    return jwk.JWK.from_pyca(x509.load_pem_x509_certificate(pathlib.Path(file).read_bytes()).public_key())


def strangers_keys():
    return jwk.JWK.generate(kty="RSA", size=2048)


# Messages.


def sign(message, key):
    token = jws.JWS(message.encode())
    token.add_signature(key, protected={"alg": "RS256", "kid": key.thumbprint()})
    return token.serialize(compact=True)


def encrypt(message, key, **header):
    token = jwe.JWE(message.encode(), protected={"alg": "RSA-OAEP-256", "enc": "A256GCM"} | header)
    token.add_recipient(key)
    return token.serialize(compact=True)


def decrypt(token, key):
    opened = jwe.JWE(algs=["RSA-OAEP-256", "A256GCM"])
    opened.deserialize(token, key)
    return opened.jose_header, opened.payload.decode()


def verify(token, key):
    verified = jws.JWS()
    verified.allowed_algs = ["RS256"]
    verified.deserialize(token, key)
    return verified.payload.decode()


def send(method, url, body, headers):
    request = urllib.request.Request(url, data=body.encode(), method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as r:
            return r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read().decode()


# RiskOS.


class Customer:
    def __init__(self, folder, url, provider_certificate, api_key, errors_file):
        self.ours, self.theirs = private_key(folder), public_key(provider_certificate)
        self.url, self.api_key = url, api_key
        self.table = json.loads(pathlib.Path(errors_file).read_text(encoding="utf-8"))
        self.stranger = strangers_keys()
        self.encrypted_keys = set()
        self.eval_id = self.docv_token = ""

    def post(self, method, path, body, **more):
        return send(method, self.url + path, body, {
            "Authorization": "Bearer " + self.api_key, "Content-Type": "application/json",
            "Accept": "application/json", "X-Payload-Encrypted": "true"} | more)

    def sealed(self, method, path, identifier, message):
        """Sends a message sealed, opens the answer, and compares the identifier next to the token with the signed one."""
        token = encrypt(sign(json.dumps(message, ensure_ascii=False), self.ours), self.theirs)
        status, text = self.post(method, path, around(token))
        # 201 is beyond the page; the test says where it may come.
        need(status in (200, 201), said(status, text))
        body = json.loads(text)
        need(set(body) == {identifier, "encrypted_response"}, f"the answer's members are {list(body)}")
        encrypted_key = body["encrypted_response"].split(".")[1]
        need(encrypted_key not in self.encrypted_keys, "the content encryption key is not unique")
        self.encrypted_keys.add(encrypted_key)
        answer = json.loads(verify(decrypt(body["encrypted_response"], self.ours)[1], self.theirs))
        need(answer.get(identifier) == body[identifier],
             f"{identifier} is {body[identifier]} outside and {answer.get(identifier)} inside")
        return {"status": status, "answer": answer}

    def refused(self, path, body, row, **more):
        """Sends what must be refused with a row of the page's table. A row may have two spellings of its text."""
        status, text = self.post("POST", path, body, **more)
        need(status == self.table[row]["status"], said(status, text))
        members = json.loads(text)
        need(members.get("error") in self.table[row]["texts"], f"the text is: {members.get('error')}")
        need(path != "/api/evaluation" or set(members) == {"eval_id", "error"}, f"the error's members are {list(members)}")
        return {"status": status, "error": members["error"], "members": list(members)}

    def play(self):
        step("evaluation.post", lambda: self.sealed("POST", "/api/evaluation", "eval_id", message("python-1", "Accept")))
        step("evaluation.version.post", lambda: self.sealed(
            "POST", "/api/evaluation/1", "eval_id", message("python-2", "Accept")))
        step("evaluation.paused", self.paused)
        step("evaluation.patch", self.patch)
        step("docv.post", self.upload)
        step("docv.patch", lambda: self.sealed(
            "PATCH", f"/api/docv/upload/{self.docv_token}", "docv_previous_reference_id", image("python-4", "selfie")))
        step("evaluation.large", lambda: {"status": self.sealed(
            "POST", "/api/evaluation", "eval_id", message("python-5", "Accept") | {"document": "é" * 400_000})["status"]})
        step("plain", self.plain)
        self.errors()
        step("after-errors", lambda: self.sealed("POST", "/api/evaluation", "eval_id", message("python-8", "Accept")))

    def paused(self):
        seen = self.sealed("POST", "/api/evaluation", "eval_id", message("python-3", "Review"))
        self.eval_id = str(uuid.UUID(seen["answer"]["eval_id"]))
        return seen

    def patch(self):
        seen = self.sealed("PATCH", f"/api/evaluation/{self.eval_id}", "eval_id", {"data": {"otp": {"code": "123456"}}})
        need(seen["answer"]["eval_id"] == self.eval_id, "the answer is to another evaluation")
        return seen

    def upload(self):
        seen = self.sealed("POST", "/api/docv/upload", "docv_previous_reference_id", image("python-4", "front"))
        self.docv_token = seen["answer"].get("docv_transaction_token")
        return seen

    def plain(self):
        status, text = send("POST", self.url + "/api/evaluation", json.dumps(message("python-6", "Accept")), {
            "Authorization": "Bearer " + self.api_key, "Content-Type": "application/json", "Accept": "application/json"})
        need(status == 200, said(status, text))
        answer = json.loads(text)
        need("encrypted_response" not in answer, "a plain request is answered sealed")
        return {"status": status, "answer": answer}

    def errors(self):
        text = json.dumps({"id": "python-7"})
        parts = encrypt(sign(text, self.ours), self.theirs).split(".")
        parts[3] = ("B" if parts[3].startswith("A") else "A") + parts[3][1:]

        def error(name, body, row, path="/api/evaluation"):
            step("error." + name, lambda: self.refused(path, body, row))

        error("body-format", text, "format")
        error("body-not-json", "encrypted_request", "format")
        error("not-jwe", around("hello"), "not-jwe")
        error("jws-only", around(sign(text, self.ours)), "not-jwe")
        error("not-jws", around(encrypt(text, self.theirs)), "not-jws")
        error("wrong-key", around(encrypt(sign(text, self.ours), self.stranger)), "decryption")
        error("altered", around(".".join(parts)), "decryption")
        error("bad-signature", around(encrypt(sign(text, self.stranger), self.theirs)), "signature")
        error("docv", around("hello"), "not-jwe", path="/api/docv/upload")
        step("error.sealing-failed", self.sealing_failed)

    def sealing_failed(self):
        """A client cannot provoke this one; the stand-in has a header for it."""
        token = encrypt(sign(json.dumps(message("python-7", "Accept")), self.ours), self.theirs)
        return self.refused("/api/evaluation", around(token), "sealing-failed", **{"X-Sandbox-Fault": "sealing-failed"})

    def without_exchange(self):
        token = encrypt(sign('{"id":"python-9"}', self.ours), self.theirs)
        step("error.no-exchange", lambda: self.refused("/api/evaluation", around(token), "not-supported"))


def around(token):
    return json.dumps({"encrypted_request": token})


def said(status, text):
    return f"HTTP {status}: {text[:300]}"


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def image(id, side):
    return {"id": id, side: {"content_type": "image/png", "data": PIXEL}}


def message(id, family_name):
    """The shape of the payload is beyond the page; the other end decides by the family name."""
    return {"id": id, "timestamp": "2026-01-01T00:00:00.000Z", "workflow": "consumer_onboarding",
            "data": {"individual": {"given_name": "Zoë", "family_name": family_name, "city": "東京 😀"}}}


# RDX.

SAMPLE = {"ProcessorId", "IssuerId", "TransactionId", "DSTransactionId", "ThreeDSRequestorAuthenticationInd",
          "StepupRequestId", "DeviceLocale", "DeviceUserAgent", "MessageVersion", "RDXMessageVersion",
          "MessageCategory", "MerchantInfo", "PaymentInfo", "TransactionInfo"}


def clear_answer(message):
    """The page says only that the answer is not encrypted, and nothing about calls: the rest is beyond the page."""
    clear = {m: message[m] for m in ("ProcessorId", "IssuerId", "TransactionId", "StepupRequestId") if m in message}
    clear["Status"] = "SUCCESS" if "StepupRequestId" in message else "STEPUP"
    clear["Credentials"] = [{"Id": "1", "Type": "OTPSMS", "Text": "*** 1234"}]
    return clear


def issuer(folder, alias):
    """Opens what VCAS sends to the issuer and answers unencrypted."""
    ours = private_key(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            step("issuer.received", self.received)

        def received(self):
            status, clear = 400, {"Error": "the message is not accepted"}
            try:
                token = self.rfile.read(int(self.headers["Content-Length"])).decode()
                header, text = decrypt(token, ours)
                need(header.get("kid") == alias, f"kid is {header.get('kid')}, the alias is {alias}")
                got = json.loads(text)
                status, clear = 200, clear_answer(got)
                return {"method": "POST", "message": got, "complete": SAMPLE <= set(got)}
            finally:
                body = json.dumps(clear).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        step("issuer.ready", lambda: {"url": f"http://127.0.0.1:{server.server_port}"})
        sys.stdin.read()
        server.shutdown()
        serving.join()


def vcas(url, issuer_certificate, alias):
    theirs = public_key(issuer_certificate)
    text = json.dumps({
        "ProcessorId": "5723ae630063ac1a9c3ab079", "IssuerId": "5723ae630063ac1a9c3ab083",
        "TransactionId": str(uuid.uuid4()), "StepupRequestId": str(uuid.uuid4()), "DeviceLocale": "en-US",
        "MessageVersion": "2.2.0", "RDXMessageVersion": "2.2.3", "MessageCategory": "01",
        "MerchantInfo": {"MerchantName": "Café Zürich", "MerchantCountryCode": "840"},
        "PaymentInfo": {"CardNumber": "redacted", "CardExpiryMonth": "08", "CardExpiryYear": "28",
                        "CardHolderName": "Jane Doe"},
        "TransactionInfo": {"TransactionCurrency": "840", "Channel": "02"},
    }, ensure_ascii=False)

    def accepted():
        status, body = send("POST", url, encrypt(text, theirs, kid=alias), {"Content-Type": "application/jose"})
        need(status == 200, said(status, body))
        return {"status": status, "answer": json.loads(body)}  # unencrypted

    def refused(body):
        status, answer = send("POST", url, body, {"Content-Type": "application/jose"})
        need(400 <= status < 500, said(status, answer))
        return {"status": status}

    step("vcas.send", accepted)
    step("vcas.unknown-alias", lambda: refused(encrypt(text, theirs, kid="another-" + alias)))
    step("vcas.no-alias", lambda: refused(encrypt(text, theirs)))
    step("vcas.wrong-key", lambda: refused(encrypt(text, strangers_keys(), kid=alias)))
    # RSA-OAEP is in the page's sample, but not in its table.
    step("vcas.sha1", lambda: refused(encrypt(text, theirs, kid=alias, alg="RSA-OAEP")))
    step("vcas.clear", lambda: refused(text))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["certificate", folder, kind]:
            certificate(folder, kind)
        case ["customer", *rest]:
            Customer(*rest).play()
        case ["unexchanged", *rest]:
            Customer(*rest).without_exchange()
        case ["issuer", folder, alias]:
            issuer(folder, alias)
        case ["vcas", *rest]:
            vcas(*rest)
        case _:
            sys.exit("want certificate, customer, unexchanged, issuer or vcas")
    sys.exit(failed)
