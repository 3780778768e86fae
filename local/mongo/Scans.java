import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.MongoServerError;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What queries cost, and which of them may walk through a whole collection or sort in memory: those in a file of
 * lines "scan|sort collection filter sort reason", with fields joined by commas, "-" for none, "*" for any. Where only
 * a sort is allowed an index still has to serve the filter.
 */
final class Scans {
    private static final int NO_QUERY_EXECUTION_PLANS = 291; /* MongoDB's own answer with notablescan */
    private static final int SHOWN = 400;
    private static final long SETTLED_MS = 5000;

    private record Allowed(String how, String collection, String filter, String sort) {
    }

    /** What was looked at for queries. */
    static final class Costs {
        final AtomicLong keys = new AtomicLong();
        final AtomicLong documents = new AtomicLong();
    }

    private static final Map<String, Costs> costs = new ConcurrentHashMap<>(); /* by database/application/ */
    private static final List<Allowed> allowed = new ArrayList<>();
    private static final Map<String, Set<String>> refused = new ConcurrentHashMap<>(); /* by database */
    private static final Map<String, Long> indexedAt = new ConcurrentHashMap<>();      /* by database: last createIndexes */
    private static boolean strict;

    private Scans() {
    }

    static void refuseAllBut(Path file) throws IOException {
        strict = true;
        for (String line : Files.readAllLines(file)) {
            String[] words = line.trim().split("\\s+", 5);
            if (line.isBlank() || line.startsWith("#")) {
                continue;
            }
            if (words.length < 5) {
                throw new IOException(file + ": a line needs scan or sort, collection, filter, sort and reason: " + line);
            }
            allowed.add(new Allowed(words[0], words[1], words[2], words[3]));
        }
    }

    static boolean areRefused() {
        return strict;
    }

    static void indexesMade(String database) {
        indexedAt.put(database, System.currentTimeMillis());
    }

    static Costs of(String database) {
        Asked asked = Asked.now();
        return costs.computeIfAbsent(database + "/" + (asked == null ? "" : asked.application) + "/", name -> new Costs());
    }

    /** As MongoDB's serverStatus has them: of those whose database/application begins so. */
    static Document sum(String of) {
        Document sum = new Document("scanned", 0L).append("scannedObjects", 0L);
        costs.forEach((whose, cost) -> {
            if (whose.startsWith(of)) {
                sum.put("scanned", (Long) sum.get("scanned") + cost.keys.get());
                sum.put("scannedObjects", (Long) sum.get("scannedObjects") + cost.documents.get());
            }
        });
        return sum;
    }

    /** The costs are those of one application, when the command names it: {queryCosts: 1, application: "trawl"}. */
    static Document reportOf(String database, Object application) {
        return sum(database + "/" + (application == null ? "" : application + "/"))
            .append("refused", List.copyOf(refused.getOrDefault(database, Set.of()))).append("ok", 1.0);
    }

    static void forget(String database) {
        refused.remove(database);
        costs.keySet().removeIf(whose -> whose.startsWith(database + "/"));
        indexedAt.remove(database);
    }

    /**
     * Called for a query that no index serves (how: scan), or whose order none gives (sort). A collection that has an index is judged; one that has none only when the
     * indexes of its database have been there for a while: they are made one collection after the other.
     */
    static void judge(LocalCollection of, Query query, String how, boolean indexed) {
        Asked asked = Asked.now();
        String database = of.getDatabaseName();
        String collection = of.getCollectionName();
        Long since = indexedAt.get(database);
        boolean settled = since != null && System.currentTimeMillis() - since > SETTLED_MS;
        if (!strict || asked == null || !asked.judged || !(indexed || settled) || isAllowed(how, collection, query)) {
            return;
        }
        String what = asked.command + " " + collection + " " + query.filter.toString(true) + " sort " + query.sort.toString(true);
        String shown = what.length() > SHOWN ? what.substring(0, SHOWN) + "…" : what;
        refused.computeIfAbsent(database, name -> new ConcurrentSkipListSet<>()).add(asked.command + " " + collection + " by "
            + fields(query.filter) + " sorted by " + fields(query.sort));
        throw new MongoServerError(NO_QUERY_EXECUTION_PLANS, "NoQueryExecutionPlans", "no index serves " + shown
            + "; it needs one in common/db/db_index.c, or a line with a reason in local/mongo/scans");
    }

    private static boolean isAllowed(String how, String collection, Query query) {
        return allowed.stream().anyMatch(a -> a.collection().equals(collection)
            && (a.how().equals("scan") || a.how().equals(how)) && fits(a.filter(), query.filter) && fits(a.sort(), query.sort));
    }

    private static boolean fits(String allowedFields, Document asked) {
        return allowedFields.equals("*") || allowedFields.equals(fields(asked));
    }

    private static String fields(Document asked) {
        return asked.isEmpty() ? "-" : String.join(",", new TreeSet<>(asked.keySet()));
    }
}
