import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Optional;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Recipes for JUnit 5. Run them beside the emulator that EMULATOR_URL names, with its ADMIN_TOKEN if it has one. They use
 * the JDK alone; if you have a JSON library, read the answers with it.
 */
class StorefrontTest {
  static final String URL = Optional.ofNullable(System.getenv("EMULATOR_URL")).orElse("http://127.0.0.1:8080");
  static final Optional<String> ADMIN_TOKEN = Optional.ofNullable(System.getenv("ADMIN_TOKEN")).filter(t -> !t.isEmpty());
  static final HttpClient HTTP = HttpClient.newHttpClient();

  static final String FILM = "customerAuthenticator=201722,1ad8eed133edf43cbcc185f0236828ae&errorFormat=json"
      + "&kid=b366360da82e9c6e0b0984002a362cf2&contentKey=00112233445566778899aabbccddeeff&rightsType=BuyToOwn"
      + "&analogVideoOPL=0&compressedDigitalAudioOPL=0&compressedDigitalVideoOPL=0"
      + "&uncompressedDigitalAudioOPL=0&uncompressedDigitalVideoOPL=0";

  /** Stands for your storefront: gets a token for a viewer who presses Play. */
  static HttpResponse<String> play(String viewer, String more) throws IOException, InterruptedException {
    var uri = URI.create(URL + "/hms/pr/token?" + FILM + "&cookie=" + viewer + more);
    return HTTP.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString());
  }

  /** Stands for a player: asks for a licence with a token. */
  static HttpResponse<String> redeem(String token) throws IOException, InterruptedException {
    var uri = URI.create(URL + "/hms/ck/rights/?ExpressPlayToken=" + token);
    var body = BodyPublishers.ofString("{\"kids\":[\"s2Y2DagunG4LCYQAKjYs8g\"]}");
    return HTTP.send(HttpRequest.newBuilder(uri).POST(body).build(), BodyHandlers.ofString());
  }

  /** Controls the emulator. */
  static void admin(String method, String path, String order) throws IOException, InterruptedException {
    var request = HttpRequest.newBuilder(URI.create(URL + "/admin/api" + path));
    if (order.isEmpty()) request.method(method, BodyPublishers.noBody());
    else request.header("content-type", "application/json").method(method, BodyPublishers.ofString(order));
    ADMIN_TOKEN.ifPresent(token -> request.header("authorization", "Bearer " + token));
    var answer = HTTP.send(request.build(), BodyHandlers.ofString());
    assertTrue(answer.statusCode() < 300, answer.body());
  }

  static String token(HttpResponse<String> answer) {
    return first("\"token\":\"([^\"]+)\"", answer);
  }

  static String code(HttpResponse<String> answer) {
    return first("\"code\":(-?\\d+)", answer);
  }

  private static String first(String pattern, HttpResponse<String> answer) {
    var found = Pattern.compile(pattern).matcher(answer.body());
    assertTrue(found.find(), answer.body());
    return found.group(1);
  }

  @BeforeEach
  void startOver() throws Exception {
    admin("POST", "/reset", ""); // balances, clock, faults, journal and log as at the start
  }

  @Test
  void myTokenExpired() throws Exception {
    var token = token(play("viewer-1", "&expirationTime=%2B60"));
    admin("POST", "/clock/advance", "{\"seconds\":59}");
    assertEquals(200, redeem(token).statusCode());
    admin("POST", "/clock/advance", "{\"seconds\":2}");
    assertEquals("-4010", code(redeem(token)));
  }

  @Test
  void theCreditRanOut() throws Exception {
    admin("POST", "/faults", "{\"times\":1,\"effect\":{\"errorCode\":-2019}}");
    assertEquals("-2019", code(play("viewer-1", "")));
    token(play("viewer-1", ""));
  }

  @Test
  void theServiceIsDown() throws Exception {
    admin("PUT", "/faults", "[{\"effect\":{\"status\":503,\"retryAfter\":120}}]");
    assertEquals("120", play("viewer-1", "").headers().firstValue("retry-after").orElseThrow());
    admin("DELETE", "/faults", "");
    token(play("viewer-1", ""));
  }

  @Test
  void whatDidMyCodeSend() throws Exception {
    play("viewer-1", "");
    admin("POST", "/requests/verify",
        "{\"pattern\":{\"path\":\"/hms/pr/token\",\"parameters\":{\"cookie\":\"viewer-1\"},\"status\":200},\"times\":1}");
  }
}
