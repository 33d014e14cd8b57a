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
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.interfaces.RSAPrivateCrtKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.RSAPublicKeySpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Measures Nimbus JOSE+JWT: Bench FOLDER WARM-UP-MS MEASURE-MS. FOLDER is made by ../../bench.sh.
 * Prints one line of JSON for each cell. Signers and the like are made once and used again.
 */
public final class Bench {
    private static Path dir;

    private final RSASSASigner signer;
    private final RSASSAVerifier verifier;
    private final RSAEncrypter encrypter;
    private final RSADecrypter decrypter;
    private final JWSHeader inner = new JWSHeader.Builder(JWSAlgorithm.RS256).keyID("customer").build();
    private final JWEHeader outer = new JWEHeader(JWEAlgorithm.RSA_OAEP_256, EncryptionMethod.A256GCM);

    private Bench(int rsa) throws Exception {
        RSAPrivateCrtKey customer = key("customer", rsa);
        RSAPrivateCrtKey provider = key("provider", rsa);
        signer = new RSASSASigner(customer);
        verifier = new RSASSAVerifier(publicKey(customer));
        encrypter = new RSAEncrypter(publicKey(provider));
        decrypter = new RSADecrypter(provider);
    }

    private static RSAPrivateCrtKey key(String name, int rsa) throws Exception {
        String pem = Files.readString(dir.resolve(name + "-" + rsa + ".pem")).replaceAll("-----[^-]+-----|\\s", "");
        return (RSAPrivateCrtKey) KeyFactory.getInstance("RSA")
                .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
    }

    private static RSAPublicKey publicKey(RSAPrivateCrtKey key) throws Exception {
        return (RSAPublicKey) KeyFactory.getInstance("RSA")
                .generatePublic(new RSAPublicKeySpec(key.getModulus(), key.getPublicExponent()));
    }

    private String seal(byte[] payload) throws Exception {
        JWSObject signed = new JWSObject(inner, new Payload(payload));
        signed.sign(signer);
        JWEObject encrypted = new JWEObject(outer, new Payload(signed.serialize()));
        encrypted.encrypt(encrypter);
        return encrypted.serialize();
    }

    private byte[] open(String token) throws Exception {
        JWEObject encrypted = JWEObject.parse(token);
        if (!encrypted.getHeader().getAlgorithm().equals(JWEAlgorithm.RSA_OAEP_256)
                || !encrypted.getHeader().getEncryptionMethod().equals(EncryptionMethod.A256GCM)) {
            throw new IllegalStateException("JWE algorithms");
        }
        encrypted.decrypt(decrypter);
        JWSObject signed = JWSObject.parse(encrypted.getPayload().toString());
        if (!signed.getHeader().getAlgorithm().equals(JWSAlgorithm.RS256) || !signed.verify(verifier)) {
            throw new IllegalStateException("signature");
        }
        return signed.getPayload().toBytes();
    }

    private interface Operation {
        Object run() throws Exception;
    }

    private static Object sink;

    private static double time(Operation f, long ms) throws Exception {
        long start = System.nanoTime();
        long n = 0;
        do {
            sink = f.run();
            n++;
        } while (System.nanoTime() - start < ms * 1_000_000);
        return (double) (System.nanoTime() - start) / n;
    }

    /** How many exchanges, each a request that is opened and an answer that is sealed, are under way at once. */
    private static final int CLIENTS = 32;

    /** Returns the nanoseconds for each operation with all clients at work. */
    private static double together(Operation f, long ms) throws Exception {
        long start = System.nanoTime();
        long end = start + ms * 1_000_000;
        ExecutorService clients = Executors.newFixedThreadPool(CLIENTS);
        try {
            List<Future<Long>> all = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                all.add(clients.submit(() -> {
                    long n = 0;
                    do {
                        f.run();
                        n++;
                    } while (System.nanoTime() < end);
                    return n;
                }));
            }
            long n = 0;
            for (Future<Long> one : all) {
                n += one.get();
            }
            return (double) (System.nanoTime() - start) / n;
        } finally {
            clients.shutdown();
        }
    }

    public static void main(String[] args) throws Exception {
        dir = Path.of(args[0]);
        long warmUp = Long.parseLong(args[1]);
        long measure = Long.parseLong(args[2]);
        for (int rsa : new int[] {2048, 3072, 4096}) {
            Bench b = new Bench(rsa);
            for (String size : new String[] {"1KiB", "100KiB", "10MiB"}) {
                byte[] payload = Files.readAllBytes(dir.resolve("payload-" + size));
                String token = Files.readString(dir.resolve("token-" + rsa + "-" + size)); // sealed by Sealane
                if (!Arrays.equals(b.open(token), payload) || !Arrays.equals(b.open(b.seal(payload)), payload)) {
                    throw new IllegalStateException(rsa + " " + size + ": not opened to what was sealed");
                }
                print("seal", rsa, size, () -> b.seal(payload), warmUp, measure);
                print("open", rsa, size, () -> b.open(token), warmUp, measure);
                if (size.equals("1KiB")) {
                    Operation exchange = () -> {
                        b.open(token);
                        return b.seal(payload);
                    };
                    together(exchange, warmUp);
                    System.out.printf(
                            "{\"impl\":\"nimbus\",\"op\":\"exchange\",\"rsa\":%d,\"size\":\"%s\",\"clients\":%d,\"ns\":%.0f}%n",
                            rsa, size, CLIENTS, together(exchange, 4 * measure));
                }
            }
        }
    }

    private static void print(String op, int rsa, String size, Operation f, long warmUp, long measure) throws Exception {
        time(f, warmUp);
        System.out.printf("{\"impl\":\"nimbus\",\"op\":\"%s\",\"rsa\":%d,\"size\":\"%s\",\"ns\":%.0f}%n",
                op, rsa, size, time(f, measure));
    }
}
