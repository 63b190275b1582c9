// SPDX-License-Identifier: MIT
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The peer java.net.http. usage: java HttpClientPeer.java client PORT MESSAGES CODE REASON */
public class HttpClientPeer implements WebSocket.Listener {
    /** This code is the server's to send: wait for it. */
    private static final int GOING_AWAY = 1001;
    private static final int[] WIDE = {0xf0, 0x9f, 0x98, 0, 0xc2, 0, 0xe2, 0x82, 0};

    /** A line of the file. */
    private record Line(String kind, int[] pieces, List<byte[]> messages) {
    }

    /** What came: a message, a Pong, or at the end the Close or a problem. */
    private record Arrival(String kind, byte[] data, int code) {
    }

    private final BlockingQueue<Arrival> arrivals = new LinkedBlockingQueue<>();
    private final StringBuilder text = new StringBuilder();
    private final ByteArrayOutputStream binary = new ByteArrayOutputStream();
    private int messages, pings;
    private long octets;

    private static byte octet(String pattern, int n, int i) {
        switch (pattern) {
        case "letters":
            return (byte) (97 + (n + i) % 26);
        case "octets":
            return (byte) (n + i + i / 256 + i / 65536);
        default:
            return (byte) (WIDE[i % 9] != 0 ? WIDE[i % 9] : 128 + (n + i) % 64);
        }
    }

    private static List<Line> readSet(String path) throws Exception {
        List<Line> lines = new ArrayList<>();
        int n = 0;
        for (String row : Files.readAllLines(Path.of(path))) {
            if (row.isBlank() || row.startsWith("#"))
                continue;
            String[] words = row.trim().split("\\s+");
            int[] pieces = Arrays.stream(words).skip(3).mapToInt(Integer::parseInt).toArray();
            Line line = new Line(words[1], pieces, new ArrayList<>());
            for (int count = Integer.parseInt(words[0]); count > 0; count--, n++) {
                byte[] data = new byte[Arrays.stream(pieces).sum()];
                for (int i = 0; i < data.length; i++)
                    data[i] = octet(words[2], n, i);
                line.messages.add(data);
            }
            lines.add(line);
        }
        return lines;
    }

    @Override
    public CompletionStage<?> onText(WebSocket ws, CharSequence data, boolean last) {
        text.append(data);
        if (last) {
            arrivals.add(new Arrival("text", text.toString().getBytes(StandardCharsets.UTF_8), 0));
            text.setLength(0);
        }
        ws.request(1);
        return null;
    }

    private static byte[] rest(ByteBuffer buffer) {
        byte[] data = new byte[buffer.remaining()];
        buffer.get(data);
        return data;
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket ws, ByteBuffer data, boolean last) {
        binary.writeBytes(rest(data));
        if (last) {
            arrivals.add(new Arrival("binary", binary.toByteArray(), 0));
            binary.reset();
        }
        ws.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onPong(WebSocket ws, ByteBuffer data) {
        arrivals.add(new Arrival("ping", rest(data), 0));
        ws.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket ws, int code, String reason) {
        arrivals.add(new Arrival("close", reason.getBytes(StandardCharsets.UTF_8), code));
        return null;
    }

    @Override
    public void onError(WebSocket ws, Throwable problem) {
        arrivals.add(new Arrival(problem.toString(), new byte[0], 0));
    }

    /** Text goes in as characters, so it is cut between code points. */
    private static int cut(byte[] data, int at) {
        while (at < data.length && (data[at] & 0xc0) == 0x80)
            at--;
        return at;
    }

    private static void send(WebSocket ws, Line line, byte[] data) {
        if (line.kind.equals("ping")) {
            ws.sendPing(ByteBuffer.wrap(data)).join();
            return;
        }
        int end = 0, from = 0;
        for (int i = 0; i < line.pieces.length; i++) {
            boolean last = i + 1 == line.pieces.length;
            end += line.pieces[i];
            int to = line.kind.equals("text") ? cut(data, end) : end;
            if (line.kind.equals("text"))
                ws.sendText(new String(data, from, to - from, StandardCharsets.UTF_8), last).join();
            else
                ws.sendBinary(ByteBuffer.wrap(data, from, to - from), last).join();
            from = to;
        }
    }

    private Arrival next() throws Exception {
        Arrival arrival = arrivals.poll(10, TimeUnit.SECONDS);
        if (arrival == null)
            throw new Exception("nothing came for 10 s");
        return arrival;
    }

    private void exchange(WebSocket ws, Line line) throws Exception {
        for (byte[] data : line.messages)
            send(ws, line, data);
        for (byte[] data : line.messages) {
            Arrival got = next();
            if (!got.kind.equals(line.kind) || !Arrays.equals(got.data, data))
                throw new Exception("expected " + line.kind + " of " + data.length + ", actual: " + got.kind + " of "
                        + got.data.length + ", or other octets");
            if (line.kind.equals("ping")) {
                pings++;
                continue;
            }
            messages++;
            octets += data.length;
        }
    }

    public static void main(String[] args) throws Exception {
        HttpClientPeer peer = new HttpClientPeer();
        int code = Integer.parseInt(args[3]);
        WebSocket ws = HttpClient.newHttpClient().newWebSocketBuilder()
                .buildAsync(URI.create("ws://127.0.0.1:" + args[1] + "/echo"), peer).join();
        for (Line line : readSet(args[2]))
            peer.exchange(ws, line);
        if (code == GOING_AWAY)
            System.out.println("waiting");
        else
            ws.sendClose(code, args[4]).join();
        Arrival last = peer.next();
        System.out.println("closed " + last.code + " " + new String(last.data, StandardCharsets.UTF_8));
        System.out.printf("echoed %d messages, %d octets, %d pings%n", peer.messages, peer.octets, peer.pings);
        System.exit(last.kind.equals("close") && last.code == code ? 0 : 1);
    }
}
