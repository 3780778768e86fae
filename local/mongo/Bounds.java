import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.bson.BsonRegularExpression;
import de.bwaldvogel.mongo.bson.Document;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What a filter asks of one field: some values, or a range of them. What it cannot say, matching still does. */
final class Bounds {
    final List<Object> points; /* null: a range */
    final Object low;
    final Object high;
    final boolean lowIncluded;
    final boolean highIncluded;
    private final boolean onlyExisting; /* the range is $exists: true */
    Bounds above;                       /* a second range, which begins where this one ends; or null */

    private Bounds(List<Object> points, Object[] range, boolean lowIncluded, boolean highIncluded, boolean onlyExisting) {
        this.points = points;
        this.low = range[0];
        this.high = range[1];
        this.lowIncluded = lowIncluded;
        this.highIncluded = highIncluded;
        this.onlyExisting = onlyExisting;
    }

    private static Bounds points(List<Object> points) {
        points.sort(Values::compare);
        List<Object> distinct = new ArrayList<>();
        for (Object point : points) {
            if (distinct.isEmpty() || Values.compare(distinct.get(distinct.size() - 1), point) != 0) {
                distinct.add(point);
            }
        }
        return new Bounds(distinct, new Object[2], false, false, false);
    }

    boolean excludesNull() {
        return !contains(null) || onlyExisting;
    }

    /** A range of values, not all of them: only this is worth a walk through an index that holds every document. */
    boolean selects() {
        return points != null || !onlyExisting;
    }

    /** Whether these ask for nothing that the others leave out. */
    boolean within(Bounds others) {
        if (points != null) {
            return points.stream().allMatch(others::contains);
        }
        if (others.points != null || onlyExisting || above != null) {
            return !others.selects();
        }
        int lows = Values.compare(low, others.low);
        int highs = Values.compare(high, others.high);
        return !others.selects() || ((lows > 0 || (lows == 0 && (others.lowIncluded || !lowIncluded)))
            && (highs < 0 || (highs == 0 && (others.highIncluded || !highIncluded))));
    }

    boolean contains(Object value) {
        if (points != null) {
            return points.stream().anyMatch(point -> Values.compare(point, value) == 0);
        }
        int fromLow = Values.compare(value, low);
        int toHigh = Values.compare(value, high);
        return onlyExisting || (above != null && above.contains(value)) || ((fromLow > 0 || (lowIncluded && fromLow == 0)) && (toHigh < 0 || (highIncluded && toHigh == 0)));
    }

    /** By field; $and is taken apart. Of two conditions on one field the first counts. */
    static Map<String, Bounds> of(Document filter) {
        Map<String, Bounds> byField = new HashMap<>();
        collect(filter, byField);
        return byField;
    }

    private static void collect(Document filter, Map<String, Bounds> byField) {
        for (Map.Entry<String, Object> entry : filter.entrySet()) {
            if (entry.getKey().equals("$and")) {
                for (Object part : (Collection<?>) entry.getValue()) {
                    collect((Document) part, byField);
                }
            } else if (!entry.getKey().startsWith("$")) {
                Bounds bounds = ofCondition(entry.getValue());
                if (bounds != null) {
                    byField.putIfAbsent(entry.getKey(), bounds);
                }
            }
        }
    }

    private static Bounds ofCondition(Object condition) {
        if (BsonRegularExpression.isRegularExpression(condition) || condition instanceof Collection) {
            return null;
        }
        if (!(condition instanceof Document) || !isOperators((Document) condition)) {
            return points(new ArrayList<>(java.util.Collections.singletonList(condition)));
        }
        return ofOperators((Document) condition);
    }

    private static boolean isOperators(Document condition) {
        return !condition.isEmpty() && condition.keySet().iterator().next().startsWith("$");
    }

    private static Bounds allBut(Object value) {
        Bounds below = new Bounds(null, new Object[] {Values.FIRST, value == null ? Missing.getInstance() : value}, false, false, false);
        below.above = new Bounds(null, new Object[] {below.high, Values.LAST}, false, false, false);
        return below;
    }

    private static Bounds ofOperators(Document condition) {
        if (condition.containsKey("$eq")) {
            return ofCondition(condition.get("$eq"));
        }
        if (condition.containsKey("$ne") && condition.size() == 1) {
            return allBut(condition.get("$ne"));
        }
        if (condition.get("$in") instanceof Collection) {
            List<Object> values = new ArrayList<>((Collection<?>) condition.get("$in"));
            boolean plain = values.stream().noneMatch(v -> v instanceof Collection || BsonRegularExpression.isRegularExpression(v));
            return plain ? points(values) : null;
        }
        Object[] range = {null, null};
        boolean[] included = {false, false};
        condition.forEach((operator, value) -> {
            int side = operator.startsWith("$gt") ? 0 : operator.startsWith("$lt") ? 1 : -1;
            if (side >= 0) {
                range[side] = value == null ? Missing.getInstance() : value;
                included[side] = operator.endsWith("e");
            }
        });
        if (range[0] == null && range[1] == null) {
            boolean exists = de.bwaldvogel.mongo.backend.Utils.isTrue(condition.get("$exists"));
            return exists ? new Bounds(null, new Object[] {Values.FIRST, Values.LAST}, false, false, true) : null;
        }
        range[0] = range[0] == null ? Values.before(range[1]) : range[0];
        range[1] = range[1] == null ? Values.after(range[0]) : range[1];
        return new Bounds(null, range, included[0], included[1], false);
    }
}
