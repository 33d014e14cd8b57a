"""jwcrypto as a peer of the matrix (../../matrix_test.go).

Reads jobs from standard input until it ends, and answers each on standard
output; what stands in both is told in ../../foreign_peer_test.go.
"""

import functools
import json
import sys

from jwcrypto import jwe, jwk, jws

MAX_HEAD = 64 << 10
MAX_BODY = 64 << 20


@functools.cache
def key(pem):
    return jwk.JWK.from_pem(pem.encode())


def seal(job, payload):
    content = payload
    if job["signed"]:
        signed = jws.JWS(payload)
        signed.allowed_algs = [job["signature"]]
        signed.add_signature(key(job["private"]), protected={"alg": job["signature"], **job["inner"]})
        content = signed.serialize(compact=True)
    encrypted = jwe.JWE(
        content,
        protected={"alg": job["keyEncryption"], "enc": job["content"], **job["outer"]},
        algs=[job["keyEncryption"], job["content"]],
    )
    encrypted.add_recipient(key(job["public"]))
    return {}, encrypted.serialize(compact=True).encode()


def open_(job, token):
    encrypted = jwe.JWE(algs=[job["keyEncryption"], job["content"]])
    encrypted.deserialize(token.decode(), key=key(job["private"]))
    head = {"outerKid": encrypted.jose_header.get("kid", "")}
    if not job["signed"]:
        return head, encrypted.payload
    signed = jws.JWS()
    signed.allowed_algs = [job["signature"]]
    signed.deserialize(encrypted.payload.decode(), key=key(job["public"]))
    head["innerKid"] = signed.jose_header.get("kid", "")
    return head, signed.payload


def main():
    while line := sys.stdin.buffer.readline(MAX_HEAD):
        job = json.loads(line)
        if not 0 <= job["length"] <= MAX_BODY:
            sys.exit(f"a job of {job['length']} bytes")
        data = sys.stdin.buffer.read(job["length"])
        if len(data) != job["length"]:
            sys.exit("the input ended within a job")
        try:
            head, body = (seal if job["op"] == "seal" else open_)(job, data)
        except Exception as e:  # the library's error is the answer
            head, body = {"error": f"{type(e).__name__}: {e}"}, b""
        head["length"] = len(body)
        sys.stdout.buffer.write(json.dumps(head).encode() + b"\n")
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()


main()
