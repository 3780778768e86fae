"""Kafka with logins, TLS and rights, and Kafka that is not ours: what is refused is one clear line, and nothing is lost.

The rights are those of the table in docs/operators.md, taken from there line by line.
"""

from broker import Broker
from harness import *

PASSWORDS = {"trawl-scheduler": "pa55-of-Schedulers", "trawl-worker": "pa55-of-Workers", "trawl": "pa55-of-Operators"}
SECURE = Broker(PASSWORDS)  # of several tests: topics, groups and rights carry the site's name
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def put_password(site, user, word):
    path = f"{site.dir}/{user}.password"
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
        out.write(f"{word}\n")
    os.rename(f"{path}.new", path)
    return path


def login(site, user):
    return {"TRAWL_KAFKA_USER": user, "TRAWL_KAFKA_PASSWORD_FILE": f"{site.dir}/{user}.password"}


def rights_of_the_manual(env):
    """The lines of the table, for this environment."""
    with open(f"{ROOT}/docs/operators.md") as file:
        lines = re.findall(r"`(--allow-principal User:\S+ [^`]*)`", file.read())
    holds(len(lines) >= 5, f"lines of rights in docs/operators.md: {lines}")
    return [line.replace(" lab.", f" {env}.") for line in lines]


def troubles(process, error=None):
    return [l for l in process.log("kafka_trouble") if error in (None, l["error"])]


def wait_for_line(process, *words):
    """A line of the log that has all of these words."""
    def look():
        return [l for l in process.log() if all(w in l.get("detail", "") + l.get("msg", "") + l.get("remedy", "") for w in words)]

    found = wait_until(look, 15, f"{process.name} says {words}")
    equal(len(found), 1, f"lines of {process.name} with {words}")
    return found[0]


def expect_secret_nowhere(site, *answers):
    texts = [p.text() for p in site.processes] + [a.out + a.err for a in answers]
    for process in site.processes:
        for what in ("cmdline", "environ"):
            with open(f"/proc/{process.pid}/{what}") as file:
                texts.append(file.read())
    for word in (*PASSWORDS.values(), "wrong-pa55"):
        holds(not [t for t in texts if word in t], "no password in a log, an answer, a command line, an environment")


def secure_site(name, broker):
    site = Site(name, {"scheduler.sweep_ms": 1000})
    site.env.update(TRAWL_KAFKA_BROKERS=broker.login, TRAWL_KAFKA_SECURITY="sasl_ssl", TRAWL_KAFKA_CA_FILE=f"{broker.dir}/ca.pem")
    site.instrument("gen1", "generic", skip_quanting="true")
    for user, word in PASSWORDS.items():
        put_password(site, user, word)
    return site


def start_both(site):
    """A scheduler and a worker, each with the user of its own."""
    return site.start_scheduler(**login(site, "trawl-scheduler")), site.start_worker("copy,index", **login(site, "trawl-worker"))


@test
def a_wrong_authority_and_a_wrong_password_are_one_line_each_and_the_right_password_needs_no_restart():
    with secure_site("login", SECURE) as site:
        SECURE.allow(*rights_of_the_manual(site.id))
        other = f"{SECURE.dir}/other.pem"
        doubtful = site.start_scheduler(TRAWL_KAFKA_CA_FILE=other, **login(site, "trawl-scheduler"))
        for user in PASSWORDS:
            put_password(site, user, "wrong-pa55")
        os.chmod(f"{site.dir}/trawl-worker.password", 0o644)
        scheduler, worker = start_both(site)
        wait_for_line(doubtful, "[kafka] ca_file", other, "certificate verify failed")
        wait_for_line(scheduler, "trawl-scheduler by SCRAM-SHA-256 is refused", "[kafka] user, password_file and mechanism")
        wait_for_line(worker, "trawl-worker by SCRAM-SHA-256 is refused")
        equal([len(p.log("secret_exposed")) for p in (scheduler, worker)], [0, 1], "warnings of a password that all can read")
        name = site.acquire("generic", "gen1")[0]["name"]
        equal(doubtful.stop(), 0, "exit code of the one that trusts another authority")
        equal([[l["error"] for l in troubles(p)] for p in (doubtful, scheduler, worker)],
              [["_SSL"], ["_AUTHENTICATION"], ["_AUTHENTICATION"]], "all that was said")
        site.processes.remove(doubtful)
        equal(site.trawl("status", env=login(site, "trawl")).code, 4, "exit code of trawl status with a wrong password")
        for user, word in PASSWORDS.items():
            put_password(site, user, word)
        site.wait_status(name, "done_not_quanted", 30)
        answers = [site.trawl(*words, env=login(site, "trawl")) for words in (("status",), ("config", "show", "--origin"))]
        equal([a.code for a in answers], [0, 0], f"exit codes of trawl: {answers}")
        expect_secret_nowhere(site, *answers)
        equal([troubles(p, "right_missing") for p in (scheduler, worker)], [[], []], "the manual's rights are enough")
        site.env.update(login(site, "trawl"))
        site.expect_nothing_left()


@test
def each_right_that_is_missing_is_named_and_all_goes_on_when_it_is_given():
    with Broker(PASSWORDS) as broker, secure_site("rights", broker) as site:  # its users may write nowhere
        scheduler, worker = start_both(site)
        topics, groups = f"--topic {site.id}. --resource-pattern-type prefixed", f"--group {site.id}. --resource-pattern-type prefixed"

        def allow(user, operation, on):
            broker.allow(f"--allow-principal User:{user} --operation {operation} {on}")

        for process in (scheduler, worker):
            wait_for_line(process, f"lacks the right Write on topic {site.id}.events, which schedulers, workers")
        wait_for_line(scheduler, f"lacks the right Read on topic {site.id}.events, which schedulers need")
        wait_for_line(worker, f"user trawl-worker lacks the right Read on group {site.id}.workers.", "the workers of this kind need",
                      f"--operation Read --group {site.id}.workers.")
        name = site.acquire("generic", "gen1")[0]["name"]
        allow("trawl-scheduler", "Describe", topics)
        denied = f"lacks the right Create on topic {site.id}."
        wait_until(lambda: [l for l in scheduler.log() if denied in l.get("detail", "") + l.get("msg", "")], 15, denied)
        allow("trawl-scheduler", "Create", topics)
        wait_until(lambda: scheduler.log("kafka_topics_created"), 15, "the topics are made")
        wait_for_line(worker, f"lacks the right Read on topic {site.id}.tasks.")
        site.wait_task(f"{name}/copy", "admitted|ready")
        for on in (topics, groups):
            allow("trawl-worker", "Read", on)
        allow("trawl-worker", "Write", f"--topic {site.id}.events")
        allow("trawl-scheduler", "Write", topics)
        allow("trawl-scheduler", "Read", topics)
        site.wait_status(name, "done_not_quanted", 40)
        equal(site.task(f"{name}/copy")["attempt"], 1, "attempts that counted")
        site.env.update(login(site, "trawl"))
        site.expect_nothing_left()


def foreign_topics(site, broker):
    """Topics as somebody else has made them."""
    for topic in ("tasks.copy", "events", "dead"):
        broker.make_topic(f"{site.id}.{topic}", 1, {"retention.ms": "86400000", "segment.bytes": "1000000"})
    broker.make_topic(f"{site.id}.tasks.index", 5, {})


@test
def topics_that_others_made_are_corrected_and_used():
    with Broker(properties="auto.create.topics.enable=true\nnum.partitions=1\n") as broker, \
            Site("foreign", env={"TRAWL_KAFKA_BROKERS": broker.plain}) as site:
        foreign_topics(site, broker)
        site.instrument("gen1", "generic", skip_quanting="true")
        scheduler, _ = site.start()
        wait_until(lambda: len(scheduler.log("kafka_topic_corrected", topic=f"{site.id}.dead")) == 2, 15, "the topics are corrected")
        parts = broker.partitions(f"{site.id}.")
        holds(len(parts) >= 7, f"all topics are there: {parts}")
        equal({n for t, n in parts.items() if t != f"{site.id}.tasks.index"}, {2}, f"partitions, also of those the broker might make: {parts}")
        equal(parts[f"{site.id}.tasks.index"], 5, "partitions of a larger topic")
        ours = {"message.timestamp.type": "LogAppendTime", "retention.ms": "3600000"}
        equal(broker.configs(f"{site.id}.tasks.copy"), {**ours, "segment.bytes": "1000000"}, "settings of a topic of others")
        equal(broker.configs(f"{site.id}.dead"), {"message.timestamp.type": "LogAppendTime", "retention.ms": "86400000",
                                                  "segment.bytes": "1000000"}, "settings of the dead letters, whose retention is theirs")
        for topic in (f"{site.id}.tasks.move", f"{site.id}.tasks.index"):
            equal(broker.configs(topic), ours, f"settings of {topic}")
        said = {(l["topic"].removeprefix(site.id), l["setting"]): (l["was"], l["is"]) for l in scheduler.log("kafka_topic_corrected")}
        equal(said[".tasks.copy", "retention.ms"], ("86400000", "3600000"), "what was said of the retention")
        equal(said[".tasks.copy", "partitions"], ("1", "2"), "what was said of the partitions")
        equal(len(scheduler.log("kafka_topic_larger")), 1, "lines about the larger topic")
        site.wait_status(site.acquire("generic", "gen1")[0]["name"], "done_not_quanted")
        site.expect_nothing_left()


@test
def topics_that_may_not_be_corrected_are_used_as_they_are_and_a_right_that_is_taken_away_is_named():
    with secure_site("asis", SECURE) as site:
        corrects = ("Alter", "AlterConfigs", "DescribeConfigs")
        SECURE.allow(*(re.sub(rf" --operation ({'|'.join(corrects)})\b", "", line) for line in rights_of_the_manual(site.id)))
        foreign_topics(site, SECURE)
        scheduler, _ = start_both(site)
        wait_for_line(scheduler, f"user trawl-scheduler lacks the right Alter on topic {site.id}.", "which schedulers need")
        wait_for_line(scheduler, f"user trawl-scheduler lacks the right DescribeConfigs on topic {site.id}.")
        name = site.acquire("generic", "gen1")[0]["name"]
        site.wait_status(name, "done_not_quanted", 30)
        equal(SECURE.partitions(site.id)[f"{site.id}.events"], 1, "partitions meanwhile")
        scheduler.stop()
        user, topics = "--allow-principal User:trawl-scheduler", f"--topic {site.id}. --resource-pattern-type prefixed"
        SECURE.allow(f"{user} --operation DescribeConfigs {topics}", f"{user} --operation Write --topic {site.id}.events")
        SECURE.deny(f"{user} --operation Write {topics}")
        scheduler = site.start_scheduler(**login(site, "trawl-scheduler"))
        wait_for_line(scheduler, f"user trawl-scheduler lacks the right AlterConfigs on topic {site.id}.")
        name = site.acquire("generic", "gen1", first=2)[0]["name"]
        wait_for_line(scheduler, f"user trawl-scheduler lacks the right Write on topic {site.id}.tasks.", "which schedulers need")
        SECURE.allow(f"{user} --operation Write {topics}")
        site.wait_status(name, "done_not_quanted", 30)
        site.env.update(login(site, "trawl"))
        site.expect_nothing_left()


with SECURE:
    run()
