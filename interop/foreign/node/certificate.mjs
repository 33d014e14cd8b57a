// Reads certificates and keys with Node's own crypto, and makes keys with it.
//
//	certificate.mjs read FOLDER PASSPHRASE   one line of JSON for each file in FOLDER
//	certificate.mjs make FOLDER PASSPHRASE BITS
//	                                         writes a key pair in the forms that Node has: PEM and JWK
//
// Node does not read PKCS#7 or key usages.
import { X509Certificate, createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { createSecureContext } from "node:tls";

const modulus = (key) => Buffer.from(key.export({ format: "jwk" }).n, "base64url").toString("hex");
const seconds = (text) => Date.parse(text) / 1000;

function certificate(data) {
  const c = new X509Certificate(data);
  const name = Object.fromEntries(c.subject.split("\n").map((line) => line.split(/=(.*)/s)));
  const email = c.subjectAltName?.split(", ").find((n) => n.startsWith("email:"))?.slice("email:".length);
  return {
    commonName: name.CN, organization: name.O, unit: name.OU, country: name.C, email,
    sha256: c.fingerprint256.replaceAll(":", "").toLowerCase(),
    bits: c.publicKey.asymmetricKeyDetails.modulusLength, modulus: modulus(c.publicKey),
    notBefore: seconds(c.validFrom), notAfter: seconds(c.validTo),
    authority: c.ca, selfSigned: c.subject === c.issuer && c.verify(c.publicKey),
  };
}

const readers = {
  ".pem": certificate,
  ".crt": certificate,
  ".cer": certificate,
  ".jwk": (data) => ({ modulus: modulus(createPublicKey({ key: JSON.parse(data), format: "jwk" })) }),
  ".key": (data, passphrase) => ({ modulus: modulus(createPublicKey(createPrivateKey({ key: data, passphrase }))) }),
  ".p12": (data, passphrase) => ({ loads: Boolean(createSecureContext({ pfx: data, passphrase })) }),
};

function read(folder, passphrase) {
  for (const file of readdirSync(folder).sort()) {
    const reader = readers[extname(file)];
    if (reader) console.log(JSON.stringify({ file, ...reader(readFileSync(join(folder, file)), passphrase) }));
  }
}

function make(folder, passphrase, bits) {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: Number(bits) });
  const encrypted = { cipher: "aes-256-cbc", passphrase };
  const files = {
    "public.pem": publicKey.export({ type: "spki", format: "pem" }),
    "public.der": publicKey.export({ type: "spki", format: "der" }),
    "public-pkcs1.pem": publicKey.export({ type: "pkcs1", format: "pem" }),
    "public.jwk": JSON.stringify({ ...publicKey.export({ format: "jwk" }), kid: "node-key" }),
    "private.pem": privateKey.export({ type: "pkcs8", format: "pem" }),
    "private-encrypted.pem": privateKey.export({ type: "pkcs8", format: "pem", ...encrypted }),
    "private-encrypted.der": privateKey.export({ type: "pkcs8", format: "der", ...encrypted }),
    "private-pkcs1.pem": privateKey.export({ type: "pkcs1", format: "pem" }),
    "private.jwk": JSON.stringify({ ...privateKey.export({ format: "jwk" }), kid: "node-key" }),
  };
  for (const [file, data] of Object.entries(files)) writeFileSync(join(folder, file), data, { mode: 0o600 });
}

const [, , part, ...args] = process.argv;
const parts = { read, make };
if (!(part in parts)) throw new Error("want read or make");
parts[part](...args);
