import com.nimbusds.jose.EncryptionMethod;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWEAlgorithm;
import com.nimbusds.jose.JWEHeader;
import com.nimbusds.jose.JWEObject;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSObject;
import com.nimbusds.jose.Payload;
import com.nimbusds.jose.crypto.RSADecrypter;
import com.nimbusds.jose.crypto.RSAEncrypter;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.crypto.RSASSAVerifier;
import com.nimbusds.jose.util.Base64URL;
import com.nimbusds.jose.util.JSONObjectUtils;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.interfaces.RSAPrivateKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import javax.crypto.KeyGenerator;
import javax.crypto.SecretKey;

/**
 * Nimbus JOSE+JWT as a peer of the matrix (matrix_test.go), by the flows of RiskOS's reference
 * implementation. Reads jobs from standard input until it ends, and answers each on standard output;
 * what stands in both is told in foreign_peer_test.go.
 */
public final class Peer {
    private static final int MAX_HEAD = 64 << 10;
    private static final int MAX_BODY = 64 << 20;

    private static final Map<String, RSAPrivateKey> PRIVATE = new HashMap<>();
    private static final Map<String, RSAPublicKey> PUBLIC = new HashMap<>();

    private Peer() {}

    /** The result of a job; kid members may be null. */
    private record Answer(byte[] body, String outerKid, String innerKid) {}

    /** One job, as its head describes it. */
    private record Job(boolean signed, JWEAlgorithm keyEncryption, JWSAlgorithm signature, EncryptionMethod content,
            Map<String, Object> outer, Map<String, Object> inner, RSAPrivateKey ours, RSAPublicKey theirs) {

        static Job of(Map<String, Object> head) throws Exception {
            return new Job(JSONObjectUtils.getBoolean(head, "signed"),
                    JWEAlgorithm.parse(JSONObjectUtils.getString(head, "keyEncryption")),
                    JWSAlgorithm.parse(JSONObjectUtils.getString(head, "signature")),
                    EncryptionMethod.parse(JSONObjectUtils.getString(head, "content")),
                    JSONObjectUtils.getJSONObject(head, "outer"), JSONObjectUtils.getJSONObject(head, "inner"),
                    privateKey(JSONObjectUtils.getString(head, "private")),
                    publicKey(JSONObjectUtils.getString(head, "public")));
        }

        /** Signs and encrypts. A payload is bytes here, and a String in the reference. */
        Answer seal(byte[] input) throws Exception {
            Payload payload = new Payload(input);
            if (signed) {
                JWSObject jws = new JWSObject(jwsHeader(signature, inner), payload);
                jws.sign(new RSASSASigner(ours));
                payload = new Payload(jws.serialize());
            }
            JWEObject jwe = new JWEObject(jweHeader(keyEncryption, content, outer), payload);
            jwe.encrypt(EncryptionMethod.A256GCM.equals(content) ? new RSAEncrypter(theirs, freshKey()) : new RSAEncrypter(theirs));
            return new Answer(jwe.serialize().getBytes(StandardCharsets.US_ASCII), null, null);
        }

        /** The reference makes this content encryption key itself; the library makes the others. */
        private static SecretKey freshKey() throws Exception {
            KeyGenerator generator = KeyGenerator.getInstance("AES");
            generator.init(EncryptionMethod.A256GCM.cekBitLength());
            return generator.generateKey();
        }

        Answer open(byte[] token) throws Exception {
            JWEObject jwe = JWEObject.parse(new String(token, StandardCharsets.US_ASCII));
            if (!keyEncryption.equals(jwe.getHeader().getAlgorithm())
                    || !content.equals(jwe.getHeader().getEncryptionMethod())) {
                throw new SecurityException("the JWE's algorithms are not the job's");
            }
            jwe.decrypt(new RSADecrypter(ours));
            String outerKid = jwe.getHeader().getKeyID();
            if (!signed) {
                return new Answer(jwe.getPayload().toBytes(), outerKid, null);
            }
            JWSObject jws = JWSObject.parse(jwe.getPayload().toString());
            if (!signature.equals(jws.getHeader().getAlgorithm())) {
                throw new SecurityException("the JWS's algorithm is not the job's");
            }
            if (!jws.verify(new RSASSAVerifier(theirs))) {
                throw new SecurityException("the signature does not hold");
            }
            return new Answer(jws.getPayload().toBytes(), outerKid, jws.getHeader().getKeyID());
        }
    }

    private static JWSHeader jwsHeader(JWSAlgorithm alg, Map<String, Object> members) {
        JWSHeader.Builder b = new JWSHeader.Builder(alg);
        members.forEach((name, value) -> {
            switch (name) {
                case "kid" -> b.keyID((String) value);
                case "typ" -> b.type(new JOSEObjectType((String) value));
                case "cty" -> b.contentType((String) value);
                default -> b.customParam(name, value);
            }
        });
        return b.build();
    }

    private static JWEHeader jweHeader(JWEAlgorithm alg, EncryptionMethod enc, Map<String, Object> members) {
        JWEHeader.Builder b = new JWEHeader.Builder(alg, enc);
        members.forEach((name, value) -> {
            switch (name) {
                case "kid" -> b.keyID((String) value);
                case "typ" -> b.type(new JOSEObjectType((String) value));
                case "cty" -> b.contentType((String) value);
                case "x5t#S256" -> b.x509CertSHA256Thumbprint(new Base64URL((String) value));
                default -> b.customParam(name, value);
            }
        });
        return b.build();
    }

    private static RSAPrivateKey privateKey(String pem) throws Exception {
        if (!PRIVATE.containsKey(pem)) {
            PRIVATE.put(pem, (RSAPrivateKey) KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(der(pem))));
        }
        return PRIVATE.get(pem);
    }

    private static RSAPublicKey publicKey(String pem) throws Exception {
        if (!PUBLIC.containsKey(pem)) {
            PUBLIC.put(pem, (RSAPublicKey) KeyFactory.getInstance("RSA").generatePublic(new X509EncodedKeySpec(der(pem))));
        }
        return PUBLIC.get(pem);
    }

    private static byte[] der(String pem) {
        return Base64.getDecoder().decode(pem.replaceAll("-----[^-]+-----|\\s", ""));
    }

    /** The next job's head, or null at the end of the input. */
    private static Map<String, Object> head(InputStream in) throws Exception {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int c; (c = in.read()) != '\n'; line.write(c)) {
            if (c < 0 && line.size() == 0) {
                return null;
            }
            if (c < 0 || line.size() == MAX_HEAD) {
                throw new IOException("the head of a job does not end");
            }
        }
        return JSONObjectUtils.parse(line.toString(StandardCharsets.UTF_8));
    }

    private static byte[] body(InputStream in, int length) throws IOException {
        if (length < 0 || length > MAX_BODY) {
            throw new IOException("a job of " + length + " bytes");
        }
        byte[] body = in.readNBytes(length);
        if (body.length != length) {
            throw new EOFException("the input ended within a job");
        }
        return body;
    }

    public static void main(String[] args) throws Exception {
        InputStream in = new BufferedInputStream(System.in);
        OutputStream out = new BufferedOutputStream(System.out);
        for (Map<String, Object> head; (head = head(in)) != null;) {
            byte[] input = body(in, JSONObjectUtils.getInt(head, "length"));
            Map<String, Object> said = new HashMap<>();
            byte[] output = new byte[0];
            try {
                Job job = Job.of(head);
                Answer a = "seal".equals(head.get("op")) ? job.seal(input) : job.open(input);
                output = a.body();
                said.put("outerKid", a.outerKid() == null ? "" : a.outerKid());
                said.put("innerKid", a.innerKid() == null ? "" : a.innerKid());
            } catch (Exception e) { // the library's error is the answer
                said.put("error", e.getClass().getSimpleName() + ": " + e.getMessage());
            }
            said.put("length", output.length);
            out.write((JSONObjectUtils.toJSONString(said) + "\n").getBytes(StandardCharsets.UTF_8));
            out.write(output);
            out.flush();
        }
    }
}
