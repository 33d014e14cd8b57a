// A customer of RiskOS, an issuer of RDX and a VCAS, written from the partners' published pages alone, with
// panva/jose and fetch. One line of JSON for each step; the exit status is 1 if a step contradicts the pages. What is
// not in the pages, and had to be learned from the other end, is marked "beyond the page".
//
//	client.mjs certificate FOLDER riskos|rdx      makes FOLDER/private.pem and FOLDER/certificate.pem
//	client.mjs customer FOLDER URL PROVIDER-CERTIFICATE API-KEY ERRORS
//	client.mjs unexchanged FOLDER URL PROVIDER-CERTIFICATE API-KEY ERRORS
//	                                              an account without a certificate exchange
//	client.mjs issuer FOLDER ALIAS                serves until standard input ends
//	client.mjs vcas URL ISSUER-CERTIFICATE ALIAS
//
// ERRORS is a file with the page's table of errors: {"format": {"status": 400, "texts": ["…"]}, …}.
import { execFileSync } from "node:child_process";
import { X509Certificate, createPrivateKey, generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { CompactEncrypt, CompactSign, compactDecrypt, compactVerify } from "jose";

const utf8 = new TextEncoder();
const text = (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
const allowed = { keyManagementAlgorithms: ["RSA-OAEP-256"], contentEncryptionAlgorithms: ["A256GCM"] };

function need(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

const exactly = (object, ...members) => Object.keys(object).sort().join() === members.sort().join();

async function step(name, run) {
  let line;
  try {
    line = { step: name, ...(await run()), ok: true };
  } catch (e) {
    process.exitCode = 1;
    line = { step: name, ok: false, why: e.message + (e.cause ? `: ${e.cause.message}` : "") };
  }
  console.log(JSON.stringify(line));
}

// Keys and certificates.

function certificate(folder, kind) {
  const rdx = kind === "rdx";
  mkdirSync(folder, { recursive: true });
  execFileSync("openssl", [
    "req", "-x509", "-newkey", rdx ? "rsa:4096" : "rsa:2048", "-sha256", "-nodes", "-days", "730",
    "-subj", "/C=US/O=Node Bank/OU=Keys/CN=node.example/emailAddress=keys@node.example",
    "-addext", rdx ? "keyUsage=critical,keyEncipherment" : "keyUsage=critical,digitalSignature,keyEncipherment",
    "-keyout", join(folder, "private.pem"), "-out", join(folder, "certificate.pem"),
  ], { stdio: ["ignore", "ignore", "pipe"] });
}

const privateKey = (folder) => createPrivateKey(readFileSync(join(folder, "private.pem")));
const publicKey = (file) => new X509Certificate(readFileSync(file)).publicKey;
const strangersKeys = () => generateKeyPairSync("rsa", { modulusLength: 2048 });

// Messages. RiskOS's page asks for no key ID, so the customer sends none.

const sign = (message, key) => new CompactSign(utf8.encode(message)).setProtectedHeader({ alg: "RS256" }).sign(key);

const encrypt = (message, key, header = {}) =>
  new CompactEncrypt(utf8.encode(message)).setProtectedHeader({ alg: "RSA-OAEP-256", enc: "A256GCM", ...header }).encrypt(key);

// RiskOS.

function account(folder, url, providerCertificate, apiKey, errorsFile) {
  const ours = privateKey(folder);
  const theirs = publicKey(providerCertificate);
  const errors = JSON.parse(readFileSync(errorsFile));
  const seen = new Set();
  const post = (method, path, body, more) =>
    fetch(url + path, {
      method, body,
      headers: { Authorization: `Bearer ${apiKey}`, "Content-Type": "application/json", Accept: "application/json", "X-Payload-Encrypted": "true", ...more },
    });

  // Sends a message sealed, opens the answer, and compares the identifier next to the token with the signed one.
  async function sealed(method, path, identifier, plain) {
    const r = await post(method, path, around(await encrypt(await sign(JSON.stringify(plain), ours), theirs)));
    const body = await r.text();
    need(r.status === 200 || r.status === 201, said(r, body)); // 201 is beyond the page; the test says where it may come
    const members = JSON.parse(body);
    need(exactly(members, identifier, "encrypted_response"), `the answer's members are ${Object.keys(members)}`);
    const encryptedKey = members.encrypted_response.split(".")[1];
    need(!seen.has(encryptedKey), "the content encryption key is not unique");
    seen.add(encryptedKey);
    const inner = await compactDecrypt(members.encrypted_response, ours, allowed);
    const verified = await compactVerify(text(inner.plaintext), theirs, { algorithms: ["RS256"] });
    const answer = JSON.parse(text(verified.payload));
    need(answer[identifier] === members[identifier], `${identifier} is ${members[identifier]} outside and ${answer[identifier]} inside`);
    return { status: r.status, answer };
  }

  // Sends what must be refused with a row of the page's table. A row may have two spellings of its text.
  async function refused(path, body, row, more) {
    const r = await post("POST", path, body, more);
    const answer = await r.text();
    need(r.status === errors[row].status, said(r, answer));
    const members = JSON.parse(answer);
    need(errors[row].texts.includes(members.error), `the text is: ${members.error}`);
    need(path !== "/api/evaluation" || exactly(members, "eval_id", "error"), `the error's members are ${Object.keys(members)}`);
    return { status: r.status, error: members.error, members: Object.keys(members) };
  }

  return { ours, theirs, sealed, refused };
}

const around = (token) => JSON.stringify({ encrypted_request: token });
const said = (r, body) => `HTTP ${r.status}: ${body.slice(0, 300)}`;

// The shape of the payloads is beyond the page; the other end decides by the family name.
const message = (id, familyName) => ({
  id, timestamp: "2026-01-01T00:00:00.000Z", workflow: "consumer_onboarding",
  data: { individual: { given_name: "Zoë", family_name: familyName, city: "東京 😀" } },
});
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const image = (id, side) => ({ id, [side]: { content_type: "image/png", data: pixel } });

async function customer(folder, url, providerCertificate, apiKey, errorsFile) {
  const { sealed, ...rest } = account(folder, url, providerCertificate, apiKey, errorsFile);
  let evalID, docvToken;
  await step("evaluation.post", () => sealed("POST", "/api/evaluation", "eval_id", message("node-1", "Accept")));
  await step("evaluation.version.post", () => sealed("POST", "/api/evaluation/1", "eval_id", message("node-2", "Accept")));
  await step("evaluation.paused", async () => {
    const got = await sealed("POST", "/api/evaluation", "eval_id", message("node-3", "Review"));
    evalID = got.answer.eval_id;
    need(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(evalID), `eval_id is ${evalID}`);
    return got;
  });
  await step("evaluation.patch", async () => {
    const got = await sealed("PATCH", `/api/evaluation/${evalID}`, "eval_id", { data: { otp: { code: "123456" } } });
    need(got.answer.eval_id === evalID, "the answer is to another evaluation");
    return got;
  });
  await step("docv.post", async () => {
    const got = await sealed("POST", "/api/docv/upload", "docv_previous_reference_id", image("node-4", "front"));
    docvToken = got.answer.docv_transaction_token;
    return got;
  });
  await step("docv.patch", () => sealed("PATCH", `/api/docv/upload/${docvToken}`, "docv_previous_reference_id", image("node-4", "selfie")));
  await step("evaluation.large", async () => {
    const got = await sealed("POST", "/api/evaluation", "eval_id", { ...message("node-5", "Accept"), document: "é".repeat(400_000) });
    return { status: got.status };
  });
  await step("plain", async () => {
    const r = await fetch(`${url}/api/evaluation`, {
      method: "POST", body: JSON.stringify(message("node-6", "Accept")),
      headers: { Authorization: `Bearer ${apiKey}`, "Content-Type": "application/json", Accept: "application/json" },
    });
    const body = await r.text();
    need(r.status === 200, said(r, body));
    const answer = JSON.parse(body);
    need(!("encrypted_response" in answer), "a plain request is answered sealed");
    return { status: r.status, answer };
  });
  await errors({ sealed, ...rest });
  await step("after-errors", () => sealed("POST", "/api/evaluation", "eval_id", message("node-8", "Accept")));
}

async function errors({ ours, theirs, refused }) {
  const stranger = strangersKeys();
  const e = "/api/evaluation";
  const clear = JSON.stringify({ id: "node-7" });
  await step("error.body-format", () => refused(e, clear, "format"));
  await step("error.body-not-json", () => refused(e, "encrypted_request", "format"));
  await step("error.not-jwe", () => refused(e, around("hello"), "not-jwe"));
  await step("error.jws-only", async () => refused(e, around(await sign(clear, ours)), "not-jwe"));
  await step("error.not-jws", async () => refused(e, around(await encrypt(clear, theirs)), "not-jws"));
  await step("error.wrong-key", async () =>
    refused(e, around(await encrypt(await sign(clear, ours), stranger.publicKey)), "decryption"));
  await step("error.altered", async () => {
    const parts = (await encrypt(await sign(clear, ours), theirs)).split(".");
    parts[3] = (parts[3].startsWith("A") ? "B" : "A") + parts[3].slice(1);
    return refused(e, around(parts.join(".")), "decryption");
  });
  await step("error.bad-signature", async () =>
    refused(e, around(await encrypt(await sign(clear, stranger.privateKey), theirs)), "signature"));
  await step("error.docv", () => refused("/api/docv/upload", around("hello"), "not-jwe"));
  // A client cannot provoke this one; the stand-in has a header for it.
  await step("error.sealing-failed", async () => {
    const token = await encrypt(await sign(JSON.stringify(message("node-7", "Accept")), ours), theirs);
    return refused(e, around(token), "sealing-failed", { "X-Sandbox-Fault": "sealing-failed" });
  });
}

async function unexchanged(...args) {
  const { ours, theirs, refused } = account(...args);
  await step("error.no-exchange", async () =>
    refused("/api/evaluation", around(await encrypt(await sign('{"id":"node-9"}', ours), theirs)), "not-supported"));
}

// RDX.

const sample = ["ProcessorId", "IssuerId", "TransactionId", "DSTransactionId", "ThreeDSRequestorAuthenticationInd",
  "StepupRequestId", "DeviceLocale", "DeviceUserAgent", "MessageVersion", "RDXMessageVersion", "MessageCategory",
  "MerchantInfo", "PaymentInfo", "TransactionInfo"];

// The page says only that the answer is not encrypted, and nothing about calls: the rest is beyond the page.
const clearAnswer = ({ ProcessorId, IssuerId, TransactionId, StepupRequestId }) => ({
  ProcessorId, IssuerId, TransactionId, StepupRequestId, Status: StepupRequestId === undefined ? "STEPUP" : "SUCCESS",
  Credentials: [{ Id: "1", Type: "OTPSMS", Text: "*** 1234" }],
});

// Opens what VCAS sends to the issuer and answers unencrypted.
async function issuer(folder, alias) {
  const ours = privateKey(folder);
  const server = createServer((request, response) => step("issuer.received", async () => {
    let status = 400, clear = { Error: "the message is not accepted" };
    try {
      let token = "";
      for await (const chunk of request.setEncoding("utf8")) token += chunk;
      const { plaintext, protectedHeader } = await compactDecrypt(token, ours, allowed);
      need(protectedHeader.kid === alias, `kid is ${protectedHeader.kid}, the alias is ${alias}`);
      const message = JSON.parse(text(plaintext));
      status = 200;
      clear = clearAnswer(message);
      return { method: request.method, message, complete: sample.every((member) => member in message) };
    } finally {
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(clear));
    }
  }));
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  await step("issuer.ready", async () => ({ url: `http://127.0.0.1:${server.address().port}` }));
  for await (const _ of process.stdin);
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
}

async function vcas(url, issuerCertificate, alias) {
  const theirs = publicKey(issuerCertificate);
  const message = JSON.stringify({
    ProcessorId: "5723ae630063ac1a9c3ab079", IssuerId: "5723ae630063ac1a9c3ab083",
    TransactionId: randomUUID(), StepupRequestId: randomUUID(), DeviceLocale: "en-US",
    MessageVersion: "2.2.0", RDXMessageVersion: "2.2.3", MessageCategory: "01",
    MerchantInfo: { MerchantName: "Café Zürich", MerchantCountryCode: "840" },
    PaymentInfo: { CardNumber: "redacted", CardExpiryMonth: "08", CardExpiryYear: "28", CardHolderName: "Jane Doe" },
    TransactionInfo: { TransactionCurrency: "840", Channel: "02" },
  });
  await step("vcas.send", async () => {
    const r = await fetch(url, { method: "POST", body: await encrypt(message, theirs, { kid: alias }) });
    const body = await r.text();
    need(r.status === 200, said(r, body));
    return { status: r.status, answer: JSON.parse(body) }; // unencrypted
  });
  const bad = {
    "vcas.unknown-alias": await encrypt(message, theirs, { kid: `another-${alias}` }),
    "vcas.no-alias": await encrypt(message, theirs),
    "vcas.wrong-key": await encrypt(message, strangersKeys().publicKey, { kid: alias }),
    "vcas.sha1": await encrypt(message, theirs, { kid: alias, alg: "RSA-OAEP" }), // in the page's sample, not in its table
    "vcas.clear": message,
  };
  for (const [name, body] of Object.entries(bad))
    await step(name, async () => {
      const r = await fetch(url, { method: "POST", body });
      need(r.status >= 400 && r.status < 500, said(r, await r.text()));
      return { status: r.status };
    });
}

const [, , part, ...args] = process.argv;
const parts = { certificate, customer, unexchanged, issuer, vcas };
need(part in parts, "want certificate, customer, unexchanged, issuer or vcas");
await parts[part](...args);
