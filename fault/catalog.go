package fault

// entry is what docs/faults.md prints of a code.
type entry struct {
	code          Code
	meaning, next string
}

var (
	catalog = map[Code]entry{}
	order   []Code
)

func init() {
	add := func(e entry) {
		catalog[e.code] = e
		order = append(order, e.code)
	}
	for _, e := range httpAndBody {
		add(e)
	}
	for _, layer := range []Layer{JWE, JWS} {
		name := map[Layer]string{JWE: "outer token (JWE)", JWS: "inner token (JWS)"}[layer]
		for _, t := range tokenFaults {
			add(entry{t.fault.In(layer), "The " + name + " " + t.meaning, t.next})
		}
	}
	for _, e := range cryptoAndLocal {
		add(e)
	}
}

var httpAndBody = []entry{
	{TriggerMissing, "The lane requires sealing, and the request came without the header that announces it.",
		"Send the profile's trigger header, or make the lane optional on purpose."},
	{TriggerValue, "The trigger header has a value that the profile does not know.",
		"Send exactly the value the profile names."},
	{TriggerRepeated, "The trigger header came more than once.", "Send it once; look for a proxy that adds it again."},
	{Endpoint, "The profile does not seal this method and path.",
		"Check the URL; to send it unencrypted on purpose, list it in the lane's PlainEndpoints."},
	{ContentType, "The Content-Type is not one that the profile allows.",
		"Send the profile's content type."},
	{ContentEncoding, "The body is compressed (Content-Encoding).",
		"Send sealed bodies uncompressed: ciphertext cannot be compressed."},
	{BodyUnreadable, "The connection ended while the body was being read.",
		"Check the connection and send the message again."},
	{AnswerNotSealed, "The answer should be sealed and is not.",
		"Do not trust it; ask the partner whether sealing is on for this account."},
	{LaneGone, "The lane was not found again when the message had arrived.",
		"See the reason: the registry is out of date, or the partner or the caller's API key was removed."},
	{Busy, "The handler serves as many sealed requests as it allows at a time.",
		"Send the request again after a moment, or raise the limit."},
	{AnswerWithoutBody, "A response has a status without a body, but the profile requires a sealed body.",
		"Let the service answer with a body, or mark the endpoint as bodyless in the profile."},
	{AnswerRedirects, "A response to a sealed request is a redirect, and redirects are not signed.",
		"Call the right address: a sealed request is never sent to another one."},
	{AnswerCut, "A response was aborted, is shorter than its Content-Length, or has no length and is not whole JSON.",
		"Look at the service's log; the request may have been processed."},
	{AnswerPanic, "The service panicked.", "Look at the stack in the log; the request may have been processed."},
	{Query, "A sealed request has a query parameter that the profile does not list.",
		"Move the parameter into the payload, or list it in the endpoint's query."},

	{BodyEmpty, "The body is empty.", "Send the body that the profile describes."},
	{BodyTooLarge, "The body is larger than the limit.", "Send less, or raise the lane's MaxPayload."},
	{BodyUTF8, "The body is not valid UTF-8.", "Encode JSON as UTF-8."},
	{BodyNotJSON, "The body is not one JSON value.", "Send exactly one JSON object and nothing after it."},
	{BodyNotObject, "The body is JSON, but not an object.", "Put the token into the member that the profile names."},
	{BodyDuplicate, "The body has two members of one name.", "Send each member once."},
	{BodyMissing, "The member that should hold the token is missing.",
		"Put the token into the member that the profile names; names are case-sensitive."},
	{BodyType, "The member that should hold the token is not a string.",
		"Send the compact serialization as one JSON string."},
	{BodyUnexpected, "The body has a member that the profile does not allow next to the token.",
		"Remove it: members next to the token are neither encrypted nor signed."},
	{BodyBareToken, "The body is the bare token where the profile wants it in a JSON member.",
		"Wrap it in the member that the profile names."},
	{BodyWrapped, "The token is wrapped in JSON where the profile wants it bare.",
		"Send the bare token, or load a profile with a body field."},
	{BodyQuoted, "The token is wrapped in quotes.", "Remove the quotes before sending."},
	{BodyPercent, "The token is percent-encoded.", "Send it as it is: its alphabet needs no escaping."},
	{BodyBearerPrefix, "There is text before the token, as in an Authorization header.",
		"Send the token alone."},
	{BodyBOM, "The body begins with a byte order mark.", "Write UTF-8 without one (RFC 8259 section 8.1)."},
	{BodyNotSealed, "The body is not sealed: there is no token in it.",
		"Seal it, or check whether this is the right body."},
	{BodyHTTPHeaders, "There are HTTP headers before the body, as in the output of curl -i or a capture.",
		"If only this copy has them, nothing is wrong with the message; pass the body alone to be sure."},
	{BodyEncodedTwice, "The whole token, or the body around it, is base64-encoded once more.",
		"Send it as it is: a compact serialization is text already."},
	{BodyFormEncoded, "The token is in a field of an HTML form.",
		"Send the body that the profile describes, not application/x-www-form-urlencoded."},
}

var tokenFaults = []struct {
	fault         TokenFault
	meaning, next string
}{
	{Empty, "is empty.", "Check what was sent: nothing arrived."},
	{TooLarge, "is larger than the limit.", "Send less, or raise the lane's MaxPayload."},
	{JSONSerialization, "is in JSON serialization; the profiles use compact serialization only.",
		"Serialize compact (RFC 7516 section 7.1, RFC 7515 section 7.1)."},
	{Parts, "has the wrong number of parts between dots.",
		"A JWE has five parts, a JWS three; look for a cut or a doubled token."},
	{Swapped, "is of the other kind.", "Sign first, then encrypt: the JWE is outside, the JWS inside."},
	{Base64Standard, "is in standard base64: it has '+' or '/'.", "Encode base64url (RFC 4648 section 5)."},
	{Base64Padding, "has base64 padding.", "Remove the '=' (RFC 7515 section 2)."},
	{Base64Space, "has a space or a line break in it.", "Send the token on one line."},
	{Base64Character, "has a character that is not in the base64url alphabet.",
		"Check whether something edited or escaped the token on its way."},
	{Base64Length, "has a part with a length that is not possible in base64url.",
		"The part was cut: compare the lengths that both sides have."},
	{Base64SpareBits, "has a part with bits set after its last byte.",
		"Encode with an RFC 4648 encoder: one value has one text."},
	{HeaderTooLarge, "has a header of more than 4 KiB.",
		"Leave certificates and other large members out of the header."},
	{HeaderUTF8, "has a header that is not valid UTF-8.", "Encode the header as UTF-8 (RFC 7515 section 3.1)."},
	{HeaderNotJSON, "has a header that is not one JSON value.", "The header is one JSON object and nothing else."},
	{HeaderNotObject, "has a header that is JSON, but not an object.", "The header is one JSON object."},
	{HeaderDepth, "has a header nested too deeply.", "Flatten it: no profile needs nested values."},
	{HeaderDuplicate, "has a header with two members of one name.", "Send each member once (RFC 7515 section 4)."},
	{HeaderType, "has a header member of the wrong JSON type.", "alg, enc, kid, typ and cty are strings."},
	{HeaderZip, "asks for decompression (zip), which is refused.", "Turn compression off in the sender's library."},
	{HeaderCrit, "has a crit member, which is refused.", "Send no extension that must be understood."},
	{HeaderB64, "has a b64 member, which is refused.", "Sign the base64url-encoded payload (RFC 7515), not RFC 7797."},
	{HeaderJWK, "contains its own key (jwk), which is refused.", "Exchange keys beforehand and send only a kid."},
	{HeaderJKU, "names a URL for its keys (jku), which is refused.", "Exchange keys beforehand and send only a kid."},
	{HeaderX5U, "names a URL for its certificate (x5u), which is refused.",
		"Exchange certificates beforehand and send only a kid."},
	{HeaderX5C, "contains its own certificate (x5c), which is refused.",
		"Exchange certificates beforehand and send only a kid."},
	{AlgMissing, "has no alg.", "Name the algorithm that the profile requires."},
	{AlgNone, "has alg none: it is not protected.", "Sign with the profile's algorithm."},
	{AlgNotAllowed, "uses an algorithm that the lane does not allow.",
		"Use the profile's algorithm, with the exact spelling."},
	{KidForm, "has a key ID that is not 1 to 128 printable ASCII characters.", "Use the key ID as it was exchanged."},
	{KidMissing, "has no key ID, but the profile requires one.", "Send the key ID (alias) that was exchanged."},
	{KidUnknown, "names a key ID that is not known on this lane.",
		"Compare the key ID with the one exchanged, and the environment."},
	{KidNotAllowed, "has a key ID, but the profile allows none.", "Omit kid."},
	{TypNotAllowed, "has a typ that the profile does not allow.", "Omit typ, or send a value that the profile lists."},
	{CtyNotAllowed, "has a cty that the profile does not allow.", "Omit cty, or send a value that the profile lists."},
	{Cut, "is cut: characters are missing at its front or inside.",
		"Copy the whole token, and compare the lengths that both sides have."},
}

var cryptoAndLocal = []entry{
	{EncMissing, "The outer header has no enc.", "Name the content encryption that the profile requires."},
	{EncNotAllowed, "The outer header's enc is not one that the lane allows.",
		"Use the profile's content encryption, with the exact spelling."},
	{AlgSHA1, "The key was encrypted with RSA-OAEP (SHA-1), but OAEP with SHA-256 is required.",
		"Ask the sender for the profile's key encryption, or accept RSA-OAEP on this lane with a reason."},
	{EncryptedKeyLength, "The encrypted key's length does not belong to an RSA key of 2048, 3072 or 4096 bits.",
		"Check whether the token was cut or a key of another size was used."},
	{IVLength, "The initialization vector does not have the length that enc requires.",
		"Use 96 bits for AES-GCM, and 128 for AES-CBC (RFC 7518 sections 5.2 and 5.3)."},
	{TagLength, "The authentication tag does not have the length that enc requires.",
		"Send the whole tag: 128 bits for AES-GCM, half of the HMAC for AES-CBC (RFC 7518 sections 5.2 and 5.3)."},
	{CiphertextLength, "The ciphertext is not a whole number of blocks, which enc requires.",
		"Check whether the token was cut or the sender does not pad (RFC 7518 section 5.2.2.1)."},
	{PartsOrder, "The parts of the outer token (JWE) are in the wrong order.",
		"Write header, encrypted key, initialization vector, ciphertext, authentication tag (RFC 7516 section 7.1)."},

	{OpenKey, "None of the keys decrypts the encrypted key.",
		"The sender used another certificate: compare fingerprints and environments."},
	{OpenTag, "The encrypted key decrypts, but the content does not match its tag.",
		"The token was changed on its way, or encrypted wrongly."},
	{OpenKeySize, "The encrypted key was made for an RSA key of another size than the keys that were tried.",
		"The sender used another certificate: compare fingerprints."},
	{OpenKeyOther, "A key decrypts it, but not one with the key ID in the header.",
		"The sender names one certificate and uses another: compare alias, environment and fingerprint."},
	{OpenSHA1, "The encrypted key decrypts with SHA-1, but the header says SHA-256.",
		"Have the sender use OAEP with SHA-256 for both the digest and MGF1."},
	{OpenMGF1, "The encrypted key decrypts with SHA-256 and MGF1 over SHA-1 (the default of some Java providers).",
		"Have the sender set the MGF1 digest to SHA-256 as well."},
	{OpenOAEPSHA256, "The encrypted key decrypts with SHA-256, but the header says RSA-OAEP (SHA-1).",
		"Have the sender put the algorithm that it uses into the header."},
	{OpenPKCS1, "The encrypted key is PKCS #1 v1.5, not OAEP.", "Have the sender use OAEP, as the profile requires."},
	{OpenLabel, "The encrypted key decrypts with OAEP parameters that no JWE algorithm uses.",
		"Have the sender use SHA-256 for digest and MGF1, and an empty label."},
	{OpenCEKLength, "The content encryption key does not have the length that enc requires.",
		"Have the sender generate a key for the content encryption that its header names (RFC 7518 section 5.1)."},
	{OpenCEKText, "The content encryption key was encrypted as text (base64 or hexadecimal).",
		"Encrypt the raw bytes."},
	{OpenIV16, "The content was encrypted with AES-GCM and a 16-byte initialization vector.",
		"Use 12 bytes (RFC 7518 section 5.3)."},
	{OpenTagShort, "The authentication tag is shortened; the bytes that are there match.", "Send the whole tag."},
	{OpenAAD, "The tag matches other additional data than the protected header as sent.",
		"The additional data is the ASCII text of the base64url header (RFC 7516 section 5.1, step 14)."},
	{OpenCompressed, "The content is compressed, but the header has no zip.",
		"Turn compression off in the sender's library."},
	{OpenTagInCiphertext, "The authentication tag is at the end of the ciphertext, and the fifth part is empty.",
		"Cut the tag off what the cipher returns (Java: Cipher.doFinal) and send it as the fifth part."},
	{InnerNotSigned, "The decrypted content is not a JWS: it was not signed.", "Sign first, then encrypt the JWS."},
	{InnerEncodedTwice, "The decrypted content is a JWS that was base64-encoded once more.",
		"Encrypt the compact serialization as it is."},
	{InnerQuoted, "The decrypted content is a JWS in quotes.",
		"Remove the quotes before encrypting: a JSON encoder added them."},
	{SignatureLength, "The signature's length does not belong to an RSA key of 2048, 3072 or 4096 bits.",
		"Check whether the token was cut or the signature is not RSA."},

	{SignatureWrong, "None of the partner's keys verifies the signature.",
		"The signer used another key than the exchanged one: compare fingerprints."},
	{SignatureOther, "The signature is valid, but was made with the key of another partner or environment.",
		"The message is for another lane, or keys were mixed up."},
	{SignatureHash, "The signature is valid, but its algorithm is not the one that is required.",
		"Sign with the algorithm in alg (RFC 7518 sections 3.3 and 3.5)."},
	{SignatureContent, "The signature was made with the partner's key, but over different content.",
		"Check what changes the header or payload after signing, on either side, such as a formatter, a " +
			"character set conversion or a proxy."},
	{SignatureDetached, "The payload of the inner token is empty, but the signature is not over an empty payload.",
		"Send the payload in the token; a detached payload (RFC 7515 appendix F) is not supported."},
	{SignaturePayload, "The signature is over the raw payload, not over its base64url text.",
		"Sign header and payload as RFC 7515 section 5.1 says."},

	{BindContradiction, "An identifier outside the token differs from the signed one, or from the request's.",
		"Do not trust the answer: it may belong to another request."},

	{NoKeyOurs, "The lane has none of our keys for this operation.", "Create the key pair and finish the exchange."},
	{NoKeyTheirs, "The lane has none of the partner's certificates for this operation.",
		"Finish the certificate exchange."},
	{NoKeyID, "The profile needs the key's ID (alias) in every message, and the key has none.",
		"Set the key ID that was exchanged for the key."},
	{KeyUnavailable, "One of our keys could not be used: its store did not answer, or refused.",
		"Check the key store; the message was not judged."},
	{CertificateEnded, "The certificate of a key has ended, so nothing is sealed with the key, or to it.",
		"Exchange a new certificate; until then, the lane can be told to go on (expired: warn)."},
	{NotSealing, "The profile does not seal messages in this direction.", "Nothing is to be sealed or opened here."},
	{NotSigning, "The profile does not sign messages in this direction, so the sender can't be proven.",
		"In a program, call OpenUnverified, and know the sender by other means."},
	{Signing, "The profile signs messages in this direction.",
		"In a program, call Open, which verifies the signature."},
	{PayloadLarge, "The payload is larger than the lane allows.", "Send less, or raise the lane's MaxPayload."},
}
