import de.bwaldvogel.mongo.bson.Document;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What is asked of one collection, whichever command asks it. */
final class Query {
    final Document filter;
    final Document sort;       /* empty: any order */
    final int enough;          /* so many documents are wanted; 0: all */
    final Set<String> needed;  /* fields; null: whole documents */

    Query(Document filter, Document sort, int enough, Set<String> needed) {
        this.filter = filter == null ? new Document() : filter;
        this.sort = sort == null ? new Document() : sort;
        this.enough = enough;
        this.needed = needed;
    }

    /** The fields that a projection leaves; null when it takes some away, or there is none. */
    static Set<String> needed(Document projection) {
        if (projection == null || projection.isEmpty()) {
            return null;
        }
        Set<String> fields = new HashSet<>(Set.of("_id"));
        for (Map.Entry<String, Object> entry : projection.entrySet()) {
            boolean in = de.bwaldvogel.mongo.backend.Utils.isTrue(entry.getValue()) && !(entry.getValue() instanceof Document);
            if (entry.getKey().equals("_id")) {
                fields.remove(in ? "" : "_id");
            } else if (in) {
                fields.add(entry.getKey());
            } else {
                return null;
            }
        }
        return fields.isEmpty() ? null : fields;
    }

    /** What the first stages of a pipeline ask: $match, $sort, $limit, in this order, then what $group or $project reads. */
    static Query ofPipeline(Collection<?> pipeline) {
        Document filter = new Document();
        Document sort = new Document();
        int enough = 0;
        int consumed = 0;
        List<Object> stages = new ArrayList<>(pipeline);
        for (Object stage : stages) {
            String name = ((Document) stage).keySet().iterator().next();
            Object value = ((Document) stage).get(name);
            if (name.equals("$match") && consumed == 0) {
                filter = (Document) value;
            } else if (name.equals("$sort") && sort.isEmpty()) {
                sort = (Document) value;
            } else if (name.equals("$limit") && enough == 0) {
                enough = ((Number) value).intValue();
            } else {
                break;
            }
            consumed++;
        }
        return new Query(filter, sort, enough, consumed < stages.size() ? readBy((Document) stages.get(consumed)) : null);
    }

    private static Set<String> readBy(Document stage) {
        if (!stage.containsKey("$group") && !stage.containsKey("$count")) {
            return null;
        }
        Set<String> fields = new HashSet<>();
        collectPaths(stage.get("$group"), fields);
        return fields;
    }

    private static void collectPaths(Object expression, Set<String> fields) {
        if (expression instanceof Document) {
            ((Document) expression).values().forEach(value -> collectPaths(value, fields));
        } else if (expression instanceof Collection) {
            ((Collection<?>) expression).forEach(value -> collectPaths(value, fields));
        } else if (expression instanceof String && ((String) expression).startsWith("$$")) {
            fields.add(""); /* the whole document: no index has it */
        } else if (expression instanceof String && ((String) expression).startsWith("$")) {
            fields.add(((String) expression).substring(1));
        }
    }
}
