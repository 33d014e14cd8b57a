"""Reads certificates and keys with Python's cryptography, and makes them with it.

    certificate.py read FOLDER PASSPHRASE        one line of JSON for each file in FOLDER
    certificate.py make FOLDER PASSPHRASE BITS   writes a certificate that is signed by itself and one that is signed
                                                 by an authority, for one key pair, in every form that Python has
"""

import datetime
import json
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from cryptography.x509.oid import NameOID
from jwcrypto import jwk

USAGES = {"digital_signature": "digitalSignature", "content_commitment": "nonRepudiation", "key_encipherment": "keyEncipherment",
          "data_encipherment": "dataEncipherment", "key_agreement": "keyAgreement", "key_cert_sign": "keyCertSign",
          "crl_sign": "cRLSign"}


def modulus(public):
    n = public.public_numbers().n
    return n.to_bytes((n.bit_length() + 7) // 8, "big").hex()


def certificate(c):
    def name(oid):
        return next((a.value for a in c.subject.get_attributes_for_oid(oid)), None)

    def extension(kind):
        try:
            return c.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    usage, names, constraints = (extension(k) for k in (x509.KeyUsage, x509.SubjectAlternativeName, x509.BasicConstraints))
    try:
        c.verify_directly_issued_by(c)
        self_signed = True
    except Exception:
        self_signed = False
    return {
        "commonName": name(NameOID.COMMON_NAME), "organization": name(NameOID.ORGANIZATION_NAME),
        "unit": name(NameOID.ORGANIZATIONAL_UNIT_NAME), "country": name(NameOID.COUNTRY_NAME),
        "email": next(iter(names.get_values_for_type(x509.RFC822Name)), None) if names else None,
        "sha256": c.fingerprint(hashes.SHA256()).hex(), "bits": c.public_key().key_size, "modulus": modulus(c.public_key()),
        "usages": sorted(text for member, text in USAGES.items() if usage and getattr(usage, member)),
        "notBefore": int(c.not_valid_before_utc.timestamp()), "notAfter": int(c.not_valid_after_utc.timestamp()),
        "authority": bool(constraints and constraints.ca), "selfSigned": self_signed,
    }


def only(certificates):
    [c] = certificates
    return c


def from_pkcs12(data, passphrase):
    key, c, more = pkcs12.load_key_and_certificates(data, passphrase)
    if more or modulus(key.public_key()) != modulus(c.public_key()):
        raise ValueError("the PKCS#12 holds more, or what does not belong together")
    return certificate(c) | {"loads": True}


READERS = {
    ".pem": lambda data, _: certificate(x509.load_pem_x509_certificate(data)),
    ".crt": lambda data, _: certificate(x509.load_pem_x509_certificate(data)),
    ".cer": lambda data, _: certificate(x509.load_der_x509_certificate(data)),
    ".p7b": lambda data, _: certificate(only(pkcs7.load_pem_pkcs7_certificates(data))),
    ".p7c": lambda data, _: certificate(only(pkcs7.load_der_pkcs7_certificates(data))),
    ".p12": from_pkcs12,
    ".jwk": lambda data, _: {"modulus": modulus(jwk.JWK.from_json(data.decode()).get_op_key("verify"))},
    ".key": lambda data, passphrase: {"modulus": modulus(serialization.load_pem_private_key(data, passphrase).public_key())},
}


def read(folder, passphrase):
    for file in sorted(pathlib.Path(folder).iterdir()):
        if reader := READERS.get(file.suffix):
            print(json.dumps({"file": file.name} | reader(file.read_bytes(), passphrase.encode())))


def issue(subject, public, issuer, signer, authority):
    usage = dict.fromkeys(USAGES, False) | {"encipher_only": False, "decipher_only": False}
    usage |= {"key_cert_sign": True} if authority else {"key_encipherment": True}
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=730))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name("keys@python.example")]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def make(folder, passphrase, bits):
    key, root_key = (rsa.generate_private_key(65537, int(bits)) for _ in range(2))
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in (
        (NameOID.COUNTRY_NAME, "US"), (NameOID.ORGANIZATION_NAME, "Python Bänk"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Keys"), (NameOID.COMMON_NAME, "python.example"))])
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Python Root")])
    own = issue(subject, key.public_key(), subject, key, False)
    root = issue(root_name, root_key.public_key(), root_name, root_key, True)
    signed = issue(subject, key.public_key(), root_name, root_key, False)

    pem, der, no = serialization.Encoding.PEM, serialization.Encoding.DER, serialization.NoEncryption()
    pkcs8, pkcs1 = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
    encrypted = serialization.BestAvailableEncryption(passphrase.encode())
    whole = jwk.JWK.from_pyca(key)
    for file, data in {
        "own.pem": own.public_bytes(pem), "own.der": own.public_bytes(der),
        "own-pkcs7.pem": pkcs7.serialize_certificates([own], pem), "own-pkcs7.der": pkcs7.serialize_certificates([own], der),
        "signed.pem": signed.public_bytes(pem), "signed-chain.pem": root.public_bytes(pem) + signed.public_bytes(pem),
        "signed-pkcs7.pem": pkcs7.serialize_certificates([root, signed], pem),
        "signed-pkcs7.der": pkcs7.serialize_certificates([signed, root], der),
        "public.jwk": whole.export_public().encode(),
        "private.pem": key.private_bytes(pem, pkcs8, no), "private-pkcs1.der": key.private_bytes(der, pkcs1, no),
        "private-encrypted.pem": key.private_bytes(pem, pkcs8, encrypted),
        "private.jwk": whole.export_private().encode(),
        "private-own.p12": pkcs12.serialize_key_and_certificates(b"own", key, own, None, encrypted),
        "private-signed.p12": pkcs12.serialize_key_and_certificates(b"signed", key, signed, [root], encrypted),
    }.items():
        (pathlib.Path(folder) / file).write_bytes(data)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["read", folder, passphrase]:
            read(folder, passphrase)
        case ["make", folder, passphrase, bits]:
            make(folder, passphrase, bits)
        case _:
            sys.exit("want read or make")
