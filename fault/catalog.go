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
		"Check the URL; to send it in clear on purpose, list it in the lane's PlainEndpoints."},
	{ContentType, "The Content-Type contradicts what the profile says of the body.",
		"Send the profile's content type."},
	{ContentEncoding, "The body is compressed (Content-Encoding).",
		"Send sealed bodies uncompressed: ciphertext does not shrink."},
	{BodyUnreadable, "The body broke off while it was being read.", "Look at the connection; send it again."},
	{AnswerNotSealed, "The answer should be sealed and is not.",
		"Do not trust it; ask the partner whether sealing is on for this account."},
	{Busy, "As many sealed requests are under way as the handler allows.",
		"Send it again after a moment, or raise the limit."},
	{AnswerWithoutBody, "A response has a status without a body, where the profile seals the body.",
		"Let the service answer with a body, or mark the endpoint as bodyless in the profile."},
	{AnswerRedirects, "A response to a sealed request is a redirect, which nobody has signed.",
		"Call the right address: a sealed request is not sent elsewhere."},
	{AnswerCut, "The service broke its response off, or sent less than its Content-Length.",
		"Look at the service's log; the request may have been processed."},
	{AnswerPanic, "The service panicked.", "Look at the stack in the log; the request may have been processed."},
	{Query, "A sealed request has a query parameter that the profile does not list.",
		"Move the parameter into the payload, or list it in the endpoint's query."},

	{BodyEmpty, "The body is empty.", "Send the body the profile describes."},
	{BodyTooLarge, "The body is larger than the limit.", "Send less, or raise the lane's MaxPayload."},
	{BodyUTF8, "The body is not valid UTF-8.", "Encode JSON as UTF-8."},
	{BodyNotJSON, "The body is not one JSON value.", "Send exactly one JSON object and nothing after it."},
	{BodyNotObject, "The body is JSON, but not an object.", "Put the token into the member the profile names."},
	{BodyDuplicate, "A member stands twice in the body.", "Send each member once."},
	{BodyMissing, "The member that carries the token is not there.",
		"Put the token into the member the profile names; names are case-sensitive."},
	{BodyType, "The member that carries the token is not a string.",
		"Send the compact serialization as one JSON string."},
	{BodyUnexpected, "The body has a member that the profile does not expect beside the token.",
		"Take it out: what stands beside the token is neither encrypted nor signed."},
	{BodyBareToken, "The body is the bare token where the profile wants it in a JSON member.",
		"Wrap it in the member the profile names."},
	{BodyWrapped, "The token is wrapped in JSON where the profile wants it bare.",
		"Send the bare token, or load a profile with a body field."},
	{BodyQuoted, "The token is wrapped in quotes.", "Take the quotes off before sending."},
	{BodyPercent, "The token is percent-encoded.", "Send it as it is: its alphabet needs no escaping."},
	{BodyBearerPrefix, "Something stands in front of the token, as in an Authorization header.",
		"Send the token alone."},
	{BodyBOM, "A byte order mark stands before the body.", "Write UTF-8 without one (RFC 8259 section 8.1)."},
	{BodyNotSealed, "The body is in clear: there is no token in it.",
		"Seal it, or look at what else was meant to be sent."},
	{BodyHTTPHeaders, "HTTP headers stand in front of the body, as curl -i and a capture give them.",
		"Nothing needs mending if they were only written out with it; give the body alone to be sure."},
	{BodyEncodedTwice, "The whole token, or the body around it, is base64-encoded once more.",
		"Send it as it is: a compact serialization is text already."},
	{BodyFormEncoded, "The token stands in a field of an HTML form.",
		"Send the body the profile describes, not application/x-www-form-urlencoded."},
}

var tokenFaults = []struct {
	fault         TokenFault
	meaning, next string
}{
	{Empty, "is empty.", "Look at what was sent: nothing arrived."},
	{TooLarge, "is larger than the limit.", "Send less, or raise the lane's MaxPayload."},
	{JSONSerialization, "is in JSON serialization; the profiles use compact serialization only.",
		"Serialize compact (RFC 7516 section 7.1, RFC 7515 section 7.1)."},
	{Parts, "has the wrong number of parts between dots.",
		"A JWE has five parts, a JWS three; look for a cut or a doubled token."},
	{Swapped, "is of the other kind.", "Sign first, then encrypt: the JWE is outside, the JWS inside."},
	{Base64Standard, "is in standard base64; '+' or '/' stands in it.", "Encode base64url (RFC 4648 section 5)."},
	{Base64Padding, "has base64 padding.", "Leave the '=' off (RFC 7515 section 2)."},
	{Base64Space, "has a blank or a line break in it.", "Send the token on one line."},
	{Base64Character, "has a character that is not in the base64url alphabet.",
		"Look for what edited or escaped the token on its way."},
	{Base64Length, "has a part whose length no base64url text can have.",
		"The part is cut: compare lengths at both ends."},
	{Base64SpareBits, "has a part with bits set behind its last byte.",
		"Encode with an RFC 4648 encoder: one value has one text."},
	{HeaderTooLarge, "has a header of more than 4 KiB.", "Leave certificates and other ballast out of the header."},
	{HeaderUTF8, "has a header that is not valid UTF-8.", "Encode the header as UTF-8 (RFC 7515 section 3.1)."},
	{HeaderNotJSON, "has a header that is not one JSON value.", "The header is one JSON object and nothing else."},
	{HeaderNotObject, "has a header that is JSON, but not an object.", "The header is one JSON object."},
	{HeaderDepth, "has a header nested too deeply.", "Flatten it; nothing in the profiles nests."},
	{HeaderDuplicate, "has a header with a member twice.", "Send each member once (RFC 7515 section 4)."},
	{HeaderType, "has a header member of the wrong JSON type.", "alg, enc, kid, typ and cty are strings."},
	{HeaderZip, "asks for decompression (zip), which is refused.", "Turn compression off in the sender's library."},
	{HeaderCrit, "has a crit member, which is refused.", "Send no extension that must be understood."},
	{HeaderB64, "has a b64 member, which is refused.", "Sign the base64url-encoded payload (RFC 7515), not RFC 7797."},
	{HeaderJWK, "brings its own key (jwk), which is refused.", "Exchange keys before; send only a kid."},
	{HeaderJKU, "names a URL for its keys (jku), which is refused.", "Exchange keys before; send only a kid."},
	{HeaderX5U, "names a URL for its certificate (x5u), which is refused.",
		"Exchange certificates before; send only a kid."},
	{HeaderX5C, "brings its own certificate (x5c), which is refused.",
		"Exchange certificates before; send only a kid."},
	{AlgMissing, "has no alg.", "Name the algorithm the profile asks for."},
	{AlgNone, "says alg none: it is not protected.", "Sign with the profile's algorithm."},
	{AlgNotAllowed, "uses an algorithm that the lane does not allow.",
		"Use the profile's algorithm, spelt byte for byte."},
	{KidForm, "has a key ID that is not 1 to 128 printable ASCII characters.", "Use the key ID as it was exchanged."},
	{KidMissing, "has no key ID, and the profile asks for one.", "Send the key ID (alias) that was exchanged."},
	{KidUnknown, "names a key ID that is not known on this lane.",
		"Compare the key ID with the one exchanged, and the environment."},
	{KidNotAllowed, "names a key ID where the profile allows none.", "Leave kid off."},
	{TypNotAllowed, "has a typ that the profile does not allow.", "Leave typ off, or send what the profile lists."},
	{CtyNotAllowed, "has a cty that the profile does not allow.", "Leave cty off, or send what the profile lists."},
	{Cut, "is cut: characters are missing at its front or inside.",
		"Copy the whole token; compare lengths at both ends."},
}

var cryptoAndLocal = []entry{
	{EncMissing, "The outer header has no enc.", "Name the content encryption that the profile asks for."},
	{EncNotAllowed, "The outer header's enc is not one that the lane allows.",
		"Use the profile's content encryption, spelt byte for byte."},
	{AlgSHA1, "The key was encrypted with RSA-OAEP (SHA-1) where OAEP with SHA-256 is due.",
		"Ask the sender for the profile's key encryption, or accept RSA-OAEP on this lane with a reason."},
	{EncryptedKeyLength, "The encrypted key has a length that no RSA key of 2048, 3072 or 4096 bits gives.",
		"Look for a cut token or a key of another size."},
	{IVLength, "The initialization vector does not have the length that enc asks for.",
		"Use 96 bits for AES-GCM, and 128 for AES-CBC (RFC 7518 sections 5.2 and 5.3)."},
	{TagLength, "The authentication tag does not have the length that enc asks for.",
		"Send the whole tag: 128 bits for AES-GCM, half of the HMAC for AES-CBC (RFC 7518 sections 5.2 and 5.3)."},
	{CiphertextLength, "The ciphertext is not whole blocks, as enc asks for.",
		"Look for a cut token, or a sender that does not pad (RFC 7518 section 5.2.2.1)."},
	{PartsOrder, "The parts of the outer token (JWE) stand in another order than the standard's.",
		"Write header, encrypted key, initialization vector, ciphertext, authentication tag (RFC 7516 section 7.1)."},

	{OpenKey, "None of the keys opens the encrypted key.",
		"The sender used another certificate: compare fingerprints, and the environment."},
	{OpenTag, "The key opens, but the content does not match its tag.",
		"The token was changed on its way, or encrypted wrongly."},
	{OpenKeySize, "The encrypted key has the length of another RSA size than the keys tried.",
		"The sender used another certificate: compare fingerprints."},
	{OpenKeyOther, "A key opens it, but not one that goes by the key ID in the header.",
		"The sender names one certificate and uses another: compare alias, environment and fingerprint."},
	{OpenSHA1, "The encrypted key opens with SHA-1 where the header says SHA-256.",
		"Have the sender use OAEP with SHA-256 for both the digest and MGF1."},
	{OpenMGF1, "The encrypted key opens with SHA-256 and MGF1 over SHA-1 (the default of some Java providers).",
		"Have the sender set the MGF1 digest to SHA-256 as well."},
	{OpenOAEPSHA256, "The encrypted key opens with SHA-256 where the header says RSA-OAEP (SHA-1).",
		"Have the sender write the algorithm that it uses into the header."},
	{OpenPKCS1, "The encrypted key is PKCS #1 v1.5, not OAEP.", "Have the sender use OAEP, as the profile asks."},
	{OpenLabel, "The encrypted key opens with OAEP parameters that no JWE algorithm has.",
		"Have the sender use SHA-256 for digest and MGF1, and an empty label."},
	{OpenCEKLength, "The content encryption key does not have the length that enc asks for.",
		"Have the sender draw the key for the content encryption that its header names (RFC 7518 section 5.1)."},
	{OpenCEKText, "The content encryption key was encrypted as text (base64 or hexadecimal).",
		"Encrypt the raw bytes."},
	{OpenIV16, "The content was encrypted with AES-GCM and a 16-byte initialization vector.",
		"Use 12 bytes (RFC 7518 section 5.3)."},
	{OpenTagShort, "The authentication tag is cut, and matches as far as it goes.", "Send the whole tag."},
	{OpenAAD, "The tag matches other additional data than the protected header as sent.",
		"The additional data is the ASCII text of the base64url header (RFC 7516 section 5.1, step 14)."},
	{OpenCompressed, "The content is compressed, though no zip is announced.",
		"Turn compression off in the sender's library."},
	{OpenTagInCiphertext, "The authentication tag stands at the end of the ciphertext, and the fifth part is empty.",
		"Cut the tag off what the cipher returns (Java: Cipher.doFinal) and send it as the fifth part."},
	{InnerNotSigned, "What was encrypted is no JWS: it was not signed.", "Sign first, then encrypt the JWS."},
	{InnerEncodedTwice, "What was encrypted is a JWS that is base64-encoded once more.",
		"Encrypt the compact serialization as it is."},
	{InnerQuoted, "What was encrypted is a JWS wrapped in quotes.",
		"Take the quotes off before encrypting: a JSON writer put them there."},
	{SignatureLength, "The signature has a length that no RSA key of 2048, 3072 or 4096 bits gives.",
		"Look for a cut token, or for a signature that is not RSA's."},

	{SignatureWrong, "The signature does not hold under any of the partner's keys.",
		"The signer used another key than the one exchanged: compare fingerprints."},
	{SignatureOther, "The signature holds, but under the key of another partner or environment.",
		"The message belongs elsewhere, or keys were mixed up."},
	{SignatureHash, "The signature holds, but with another algorithm than the one that is due.",
		"Sign as alg says (RFC 7518 sections 3.3 and 3.5)."},
	{SignatureContent, "The signature was made with the partner's key, but over other content.",
		"Look for what changes header or payload after signing, on either side: formatting again, another " +
			"character set, a proxy."},
	{SignatureDetached, "The payload part of the inner token is empty, and the signature is not over nothing.",
		"Send the payload in the token; a detached payload (RFC 7515 appendix F) is not taken."},
	{SignaturePayload, "The signature is over the raw payload, not over its encoded text.",
		"Sign header and payload as RFC 7515 section 5.1 says."},

	{BindContradiction, "An identifier outside the seal contradicts the signed one, or the request.",
		"Do not trust the answer: it may belong to another request."},

	{NoKeyOurs, "The lane has no key of ours for this.", "Create the key pair and finish the exchange."},
	{NoKeyTheirs, "The lane has no certificate of the partner for this.", "Finish the certificate exchange."},
	{NoKeyID, "The profile needs the key's ID (alias) in every message, and the key has none.",
		"Give the key the ID that was exchanged (--key-id, --to-key-id)."},
	{KeyUnavailable, "A key of ours could not be used (its store did not answer, or refused).",
		"Look at the key's store; the message was not judged."},
	{NotSealing, "The profile does not seal messages in this direction.", "Nothing is to be sealed or opened here."},
	{NotSigning, "The profile does not sign messages in this direction, so the sender can't be proven.",
		"In a program, call OpenUnverified, and know the sender by other means."},
	{Signing, "The profile signs messages in this direction.",
		"In a program, call Open, which verifies the signature."},
	{PayloadLarge, "The payload is larger than the lane allows.", "Send less, or raise the lane's MaxPayload."},
}
