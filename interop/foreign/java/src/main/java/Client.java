import com.nimbusds.jose.EncryptionMethod;
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
import com.nimbusds.jose.util.JSONObjectUtils;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.interfaces.RSAPublicKey;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/**
 * A customer of RiskOS, an issuer of RDX and a VCAS, written from the partners' published pages alone, with
 * Nimbus JOSE+JWT. One line of JSON for each step; the exit status is 1 if a step contradicts the pages. What is
 * not in the pages, and had to be learned from the other end, is marked "beyond the page".
 *
 * <pre>
 * Client certificate FOLDER riskos|rdx                                  makes FOLDER/store.p12 and FOLDER/certificate.pem
 * Client customer FOLDER URL PROVIDER-CERTIFICATE API-KEY ERRORS
 * Client unexchanged FOLDER URL PROVIDER-CERTIFICATE API-KEY ERRORS     an account without a certificate exchange
 * Client issuer FOLDER ALIAS                                            serves until standard input ends
 * Client vcas URL ISSUER-CERTIFICATE ALIAS
 * </pre>
 *
 * ERRORS is a file with the page's table of errors: {"format": {"status": 400, "texts": ["…"]}, …}.
 */
public final class Client {
    private static final char[] PASSWORD = "not-a-secret".toCharArray();
    private static final String PIXEL =
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static boolean failed;

    /** A step contradicts the pages. */
    private static final class Deviation extends Exception {
        Deviation(String text) {
            super(text);
        }
    }

    private interface Step {
        Map<String, Object> run() throws Exception;
    }

    private static synchronized void step(String name, Step s) {
        Map<String, Object> line = new LinkedHashMap<>(Map.of("step", name));
        try {
            line.putAll(s.run());
            line.put("ok", true);
        } catch (Exception e) {
            failed = true;
            line.put("ok", false);
            line.put("why", e instanceof Deviation ? e.getMessage() : e.toString());
        }
        System.out.println(JSONObjectUtils.toJSONString(line));
    }

    private static String said(HttpResponse<String> r) {
        return "HTTP " + r.statusCode() + ": " + r.body().substring(0, Math.min(300, r.body().length()));
    }

    private static void need(boolean holds, String otherwise) throws Deviation {
        if (!holds) {
            throw new Deviation(otherwise);
        }
    }

    // Keys and certificates.

    private static void certificate(Path folder, String kind) throws Exception {
        boolean rdx = kind.equals("rdx");
        Files.createDirectories(folder);
        keytool(folder, List.of("keytool", "-genkeypair", "-alias", "java-key", "-keyalg", "RSA",
                "-keysize", rdx ? "4096" : "2048", "-sigalg", "SHA256withRSA", "-validity", "730",
                "-dname", "EMAILADDRESS=keys@java.example, CN=java.example, OU=Keys, O=Java Bank, C=US",
                "-ext", rdx ? "KeyUsage:critical=keyEncipherment" : "KeyUsage:critical=digitalSignature,keyEncipherment"));
        keytool(folder, List.of("keytool", "-exportcert", "-rfc", "-alias", "java-key",
                "-file", folder.resolve("certificate.pem").toString()));
    }

    private static void keytool(Path folder, List<String> words) throws Exception {
        List<String> all = new ArrayList<>(words);
        all.addAll(List.of("-keystore", folder.resolve("store.p12").toString(), "-storetype", "PKCS12",
                "-storepass", new String(PASSWORD)));
        Process p = new ProcessBuilder(all).redirectErrorStream(true).start();
        String said = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        need(p.waitFor() == 0, "keytool: " + said);
    }

    private static PrivateKey privateKey(Path folder) throws Exception {
        try (InputStream in = Files.newInputStream(folder.resolve("store.p12"))) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(in, PASSWORD);
            return (PrivateKey) store.getKey("java-key", PASSWORD);
        }
    }

    private static RSAPublicKey publicKey(String file) throws Exception {
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            return (RSAPublicKey) ((X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in)).getPublicKey();
        }
    }

    private static KeyPair strangersKeys() throws Exception {
        KeyPairGenerator g = KeyPairGenerator.getInstance("RSA");
        g.initialize(2048);
        return g.generateKeyPair();
    }

    // Messages.

    private static String sign(String message, PrivateKey key) throws Exception {
        JWSObject jws = new JWSObject(new JWSHeader.Builder(JWSAlgorithm.RS256).keyID("java-key").build(), new Payload(message));
        jws.sign(new RSASSASigner(key));
        return jws.serialize();
    }

    private static String encrypt(String message, RSAPublicKey key, JWEAlgorithm alg, String kid) throws Exception {
        JWEObject jwe = new JWEObject(new JWEHeader.Builder(alg, EncryptionMethod.A256GCM).keyID(kid).build(), new Payload(message));
        jwe.encrypt(new RSAEncrypter(key));
        return jwe.serialize();
    }

    private static String encrypt(String message, RSAPublicKey key) throws Exception {
        return encrypt(message, key, JWEAlgorithm.RSA_OAEP_256, null);
    }

    private static JWEObject decrypt(String token, PrivateKey key) throws Exception {
        JWEObject jwe = JWEObject.parse(token);
        need(jwe.getHeader().getAlgorithm().equals(JWEAlgorithm.RSA_OAEP_256)
                && jwe.getHeader().getEncryptionMethod().equals(EncryptionMethod.A256GCM), "the JWE's header is " + jwe.getHeader());
        jwe.decrypt(new RSADecrypter(key));
        return jwe;
    }

    private static HttpResponse<String> send(String method, String url, String body, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url)).method(method, HttpRequest.BodyPublishers.ofString(body));
        return HTTP.send((headers.length > 0 ? request.headers(headers) : request).build(), HttpResponse.BodyHandlers.ofString());
    }

    // RiskOS.

    private static final class Customer {
        private final PrivateKey ours;
        private final RSAPublicKey theirs;
        private final String url, apiKey;
        private final Map<String, Object> table;
        private final KeyPair stranger = strangersKeys();
        private final Set<String> encryptedKeys = new HashSet<>();
        private String evalID = "", docvToken = "";

        Customer(String[] args) throws Exception {
            ours = privateKey(Path.of(args[1]));
            url = args[2];
            theirs = publicKey(args[3]);
            apiKey = args[4];
            table = JSONObjectUtils.parse(Files.readString(Path.of(args[5])));
        }

        private HttpResponse<String> post(String method, String path, String body, String... more) throws Exception {
            List<String> headers = new ArrayList<>(List.of("Authorization", "Bearer " + apiKey, "Content-Type", "application/json",
                    "Accept", "application/json", "X-Payload-Encrypted", "true"));
            headers.addAll(List.of(more));
            return send(method, url + path, body, headers.toArray(String[]::new));
        }

        private String around(String token) {
            return JSONObjectUtils.toJSONString(Map.of("encrypted_request", token));
        }

        /** Sends a message sealed, opens the answer, and compares the identifier next to the token with the signed one. */
        private Map<String, Object> sealed(String method, String path, String identifier, Map<String, Object> message) throws Exception {
            String token = encrypt(sign(JSONObjectUtils.toJSONString(message), ours), theirs);
            HttpResponse<String> r = post(method, path, around(token));
            need(r.statusCode() == 200 || r.statusCode() == 201, said(r)); // 201 is beyond the page; the test says where it may come
            Map<String, Object> body = JSONObjectUtils.parse(r.body());
            need(body.keySet().equals(Set.of(identifier, "encrypted_response")), "the answer's members are " + body.keySet());
            JWEObject jwe = decrypt((String) body.get("encrypted_response"), ours);
            need(encryptedKeys.add(jwe.getEncryptedKey().toString()), "the content encryption key is not unique");
            JWSObject jws = JWSObject.parse(jwe.getPayload().toString());
            need(jws.getHeader().getAlgorithm().equals(JWSAlgorithm.RS256), "the JWS's header is " + jws.getHeader());
            need(jws.verify(new RSASSAVerifier(theirs)), "the answer's signature does not hold");
            Map<String, Object> answer = JSONObjectUtils.parse(jws.getPayload().toString());
            need(body.get(identifier).equals(answer.get(identifier)),
                    identifier + " is " + body.get(identifier) + " outside and " + answer.get(identifier) + " inside");
            return Map.of("status", r.statusCode(), "answer", answer);
        }

        /** Sends what must be refused with a row of the page's table. A row may have two spellings of its text. */
        private Map<String, Object> refused(String path, String body, String row, String... more) throws Exception {
            HttpResponse<String> r = post("POST", path, body, more);
            Map<String, Object> want = JSONObjectUtils.getJSONObject(table, row);
            need(r.statusCode() == JSONObjectUtils.getInt(want, "status"), said(r));
            Map<String, Object> answer = JSONObjectUtils.parse(r.body());
            need(answer.get("error") != null && JSONObjectUtils.getStringList(want, "texts").contains(answer.get("error")), "the text is: " + answer.get("error"));
            need(!path.equals("/api/evaluation") || answer.keySet().equals(Set.of("eval_id", "error")), "the error's members are " + answer.keySet());
            return Map.of("status", r.statusCode(), "error", answer.get("error"), "members", List.copyOf(answer.keySet()));
        }

        /** The shape of the payload is beyond the page; the other end decides by the family name. */
        private static Map<String, Object> message(String id, String familyName) {
            return new LinkedHashMap<>(Map.of("id", id, "timestamp", "2026-01-01T00:00:00.000Z", "workflow", "consumer_onboarding",
                    "data", Map.of("individual", Map.of("given_name", "Zoë", "family_name", familyName, "city", "東京 😀"))));
        }

        private static Map<String, Object> image(String id, String side) {
            return Map.of("id", id, side, Map.of("content_type", "image/png", "data", PIXEL));
        }

        void play() {
            step("evaluation.post", () -> sealed("POST", "/api/evaluation", "eval_id", message("java-1", "Accept")));
            step("evaluation.version.post", () -> sealed("POST", "/api/evaluation/1", "eval_id", message("java-2", "Accept")));
            step("evaluation.paused", () -> {
                Map<String, Object> seen = sealed("POST", "/api/evaluation", "eval_id", message("java-3", "Review"));
                evalID = (String) ((Map<?, ?>) seen.get("answer")).get("eval_id");
                UUID.fromString(evalID);
                return seen;
            });
            step("evaluation.patch", () -> {
                Map<String, Object> seen = sealed("PATCH", "/api/evaluation/" + evalID, "eval_id",
                        Map.of("data", Map.of("otp", Map.of("code", "123456"))));
                need(evalID.equals(((Map<?, ?>) seen.get("answer")).get("eval_id")), "the answer is to another evaluation");
                return seen;
            });
            step("docv.post", () -> {
                Map<String, Object> seen = sealed("POST", "/api/docv/upload", "docv_previous_reference_id", image("java-4", "front"));
                docvToken = String.valueOf(((Map<?, ?>) seen.get("answer")).get("docv_transaction_token"));
                return seen;
            });
            step("docv.patch", () -> sealed("PATCH", "/api/docv/upload/" + docvToken, "docv_previous_reference_id", image("java-4", "selfie")));
            step("evaluation.large", () -> {
                Map<String, Object> large = message("java-5", "Accept");
                large.put("document", "é".repeat(400_000));
                return Map.of("status", sealed("POST", "/api/evaluation", "eval_id", large).get("status"));
            });
            step("plain", () -> {
                HttpResponse<String> r = send("POST", url + "/api/evaluation", JSONObjectUtils.toJSONString(message("java-6", "Accept")),
                        "Authorization", "Bearer " + apiKey, "Content-Type", "application/json", "Accept", "application/json");
                need(r.statusCode() == 200, said(r));
                Map<String, Object> answer = JSONObjectUtils.parse(r.body());
                need(!answer.containsKey("encrypted_response"), "a plain request is answered sealed");
                return Map.of("status", 200, "answer", answer);
            });
            errors();
        }

        private void errors() {
            String e = "/api/evaluation", text = "{\"id\":\"java-7\"}";
            step("error.body-format", () -> refused(e, text, "format"));
            step("error.body-not-json", () -> refused(e, "encrypted_request", "format"));
            step("error.not-jwe", () -> refused(e, around("hello"), "not-jwe"));
            step("error.jws-only", () -> refused(e, around(sign(text, ours)), "not-jwe"));
            step("error.not-jws", () -> refused(e, around(encrypt(text, theirs)), "not-jws"));
            step("error.wrong-key", () -> refused(e,
                    around(encrypt(sign(text, ours), (RSAPublicKey) stranger.getPublic())), "decryption"));
            step("error.altered", () -> {
                String[] parts = encrypt(sign(text, ours), theirs).split("\\.");
                parts[3] = (parts[3].startsWith("A") ? "B" : "A") + parts[3].substring(1);
                return refused(e, around(String.join(".", parts)), "decryption");
            });
            step("error.bad-signature", () -> refused(e,
                    around(encrypt(sign(text, stranger.getPrivate()), theirs)), "signature"));
            step("error.docv", () -> refused("/api/docv/upload", around("hello"), "not-jwe"));
            // A client cannot provoke this one; the stand-in has a header for it.
            step("error.sealing-failed", () -> refused(e,
                    around(encrypt(sign(JSONObjectUtils.toJSONString(message("java-7", "Accept")), ours), theirs)), "sealing-failed",
                    "X-Sandbox-Fault", "sealing-failed"));
            step("after-errors", () -> sealed("POST", e, "eval_id", message("java-8", "Accept")));
        }

        void withoutExchange() {
            step("error.no-exchange", () ->
                    refused("/api/evaluation", around(encrypt(sign("{\"id\":\"java-9\"}", ours), theirs)), "not-supported"));
        }
    }

    // RDX.

    private static final List<String> SAMPLE = List.of("ProcessorId", "IssuerId", "TransactionId", "DSTransactionId",
            "ThreeDSRequestorAuthenticationInd", "StepupRequestId", "DeviceLocale", "DeviceUserAgent", "MessageVersion",
            "RDXMessageVersion", "MessageCategory", "MerchantInfo", "PaymentInfo", "TransactionInfo");

    /** Opens what VCAS sends to the issuer and answers unencrypted. */
    private static void issuer(Path folder, String alias) throws Exception {
        PrivateKey ours = privateKey(folder);
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", x -> step("issuer.received", () -> answer(x, ours, alias)));
        server.start();
        step("issuer.ready", () -> Map.of("url", "http://127.0.0.1:" + server.getAddress().getPort() + ""));
        System.in.readAllBytes();
        server.stop(0);
    }

    private static Map<String, Object> answer(HttpExchange x, PrivateKey ours, String alias) throws Exception {
        int status = 400;
        Map<String, Object> clear = Map.of("Error", "the message is not accepted");
        try {
            String token = new String(x.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            JWEObject jwe = decrypt(token, ours);
            need(alias.equals(jwe.getHeader().getKeyID()), "kid is " + jwe.getHeader().getKeyID() + ", the alias is " + alias);
            Map<String, Object> message = JSONObjectUtils.parse(jwe.getPayload().toString());
            status = 200;
            clear = clear(message);
            return Map.of("method", x.getRequestMethod(), "message", message, "complete", message.keySet().containsAll(SAMPLE));
        } finally {
            byte[] body = JSONObjectUtils.toJSONString(clear).getBytes(StandardCharsets.UTF_8);
            x.getResponseHeaders().set("Content-Type", "application/json");
            x.sendResponseHeaders(status, body.length);
            x.getResponseBody().write(body);
            x.close();
        }
    }

    /** The page says only that the answer is not encrypted, and nothing about calls: the rest is beyond the page. */
    private static Map<String, Object> clear(Map<String, Object> message) {
        Map<String, Object> clear = new LinkedHashMap<>();
        for (String member : List.of("ProcessorId", "IssuerId", "TransactionId", "StepupRequestId")) {
            if (message.containsKey(member)) {
                clear.put(member, message.get(member));
            }
        }
        clear.put("Status", message.containsKey("StepupRequestId") ? "SUCCESS" : "STEPUP");
        clear.put("Credentials", List.of(Map.of("Id", "1", "Type", "OTPSMS", "Text", "*** 1234")));
        return clear;
    }

    private static void vcas(String url, String certificate, String alias) throws Exception {
        RSAPublicKey theirs = publicKey(certificate);
        RSAPublicKey stranger = (RSAPublicKey) strangersKeys().getPublic();
        String message = JSONObjectUtils.toJSONString(rdxMessage());
        step("vcas.send", () -> {
            HttpResponse<String> r = send("POST", url, encrypt(message, theirs, JWEAlgorithm.RSA_OAEP_256, alias));
            need(r.statusCode() == 200, said(r));
            return Map.of("status", 200, "answer", JSONObjectUtils.parse(r.body())); // unencrypted
        });
        Map<String, String> bad = new LinkedHashMap<>();
        bad.put("vcas.unknown-alias", encrypt(message, theirs, JWEAlgorithm.RSA_OAEP_256, "another-" + alias));
        bad.put("vcas.no-alias", encrypt(message, theirs));
        bad.put("vcas.wrong-key", encrypt(message, stranger, JWEAlgorithm.RSA_OAEP_256, alias));
        bad.put("vcas.sha1", encrypt(message, theirs, JWEAlgorithm.RSA_OAEP, alias)); // in the page's sample, not in its table
        bad.put("vcas.clear", message);
        bad.forEach((name, body) -> step(name, () -> {
            HttpResponse<String> r = send("POST", url, body);
            need(r.statusCode() >= 400 && r.statusCode() < 500, said(r));
            return Map.of("status", r.statusCode());
        }));
    }

    private static Map<String, Object> rdxMessage() {
        Map<String, Object> m = new LinkedHashMap<>(Map.of("ProcessorId", "5723ae630063ac1a9c3ab079", "IssuerId", "5723ae630063ac1a9c3ab083",
                "TransactionId", UUID.randomUUID().toString(), "StepupRequestId", UUID.randomUUID().toString(), "DeviceLocale", "en-US",
                "MessageVersion", "2.2.0", "RDXMessageVersion", "2.2.3", "MessageCategory", "01"));
        m.put("MerchantInfo", Map.of("MerchantName", "Café Zürich", "MerchantCountryCode", "840"));
        m.put("PaymentInfo", Map.of("CardNumber", "redacted", "CardExpiryMonth", "08", "CardExpiryYear", "28", "CardHolderName", "Jane Doe"));
        m.put("TransactionInfo", Map.of("TransactionCurrency", "840", "Channel", "02"));
        return m;
    }

    public static void main(String[] args) throws Exception {
        switch (args.length == 0 ? "" : args[0]) {
            case "certificate" -> certificate(Path.of(args[1]), args[2]);
            case "customer" -> new Customer(args).play();
            case "unexchanged" -> new Customer(args).withoutExchange();
            case "issuer" -> issuer(Path.of(args[1]), args[2]);
            case "vcas" -> vcas(args[1], args[2], args[3]);
            default -> throw new IllegalArgumentException("want certificate, customer, unexchanged, issuer or vcas");
        }
        System.exit(failed ? 1 : 0);
    }
}
