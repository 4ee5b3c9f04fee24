/* Processes that take the same name at the same time, give it back, and die at any moment. */
#include "support.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

/* --- two processes, one name, a thousand times --- */

enum { ROUNDS = 1000 };

struct race {
    struct path name;
    bool over_a_dead_name;
};

static void race_for_names(int line, void *context)
{
    const struct race *race = context;
    for (int round = 0; round < ROUNDS; ++round) {
        moorline_server *server = new_server();
        line_say(line, 'r');
        line_hear(line, 'g');
        moorline_status status = moorline_server_listen(server, race->name.text);
        line_say(line, status == MOORLINE_OK ? 'w' : status == MOORLINE_NAME_IN_USE ? 'l' : '?');
        line_hear(line, 'e');
        CHECK_OK(moorline_server_destroy(server));
        line_say(line, 'd');
    }
}

static void run_race(bool over_a_dead_name)
{
    struct race race = {.name = in_test_directory("name"), .over_a_dead_name = over_a_dead_name};
    struct child racers[2];
    int wins[2] = {0, 0};
    for (int i = 0; i < 2; ++i) {
        racers[i] = child_start(race_for_names, &race);
    }
    for (int round = 0; round < ROUNDS; ++round) {
        if (race.over_a_dead_name) {
            CHECK_SYSTEM(close(raw_listen(race.name.text)));
        }
        int winners = 0;
        line_hear(racers[0].line, 'r');
        line_hear(racers[1].line, 'r');
        line_say(racers[round % 2].line, 'g');
        line_say(racers[1 - round % 2].line, 'g');
        for (int i = 0; i < 2; ++i) {
            int outcome = line_hear_any(racers[i].line);
            CHECK(outcome == 'w' || outcome == 'l');
            if (outcome == 'w') {
                ++winners;
                ++wins[i];
            }
        }
        CHECK_NUMBER(winners, 1);
        /* The name leads to the winner, and nothing else lies about. */
        CHECK_SYSTEM(close(raw_connect(race.name.text)));
        CHECK_NUMBER(files_in(test_directory()), 1);
        for (int i = 0; i < 2; ++i) {
            line_say(racers[i].line, 'e');
            line_hear(racers[i].line, 'd');
        }
        CHECK_NUMBER(files_in(test_directory()), 0);
    }
    for (int i = 0; i < 2; ++i) {
        child_expect_success(&racers[i]);
    }
    fprintf(stderr, "    wins: %d and %d\n", wins[0], wins[1]);
}

static void test_a_race_for_a_free_name_has_one_winner(void)
{
    run_race(false);
}

static void test_a_race_for_a_dead_name_has_one_winner(void)
{
    run_race(true);
}

/* --- never two at once, however the turns fall --- */

static void take_turns(int line, void *context)
{
    const struct race *race = context;
    struct path lock_file = in_test_directory("lock");
    int lock = CHECK_SYSTEM(open(lock_file.text, O_RDWR | O_CLOEXEC));
    moorline_server *server = new_server();
    line_say(line, 'r');
    line_hear(line, 'g');
    for (int turns = 0; turns < ROUNDS;) {
        moorline_status status = moorline_server_listen(server, race->name.text);
        if (status == MOORLINE_OK) {
            CHECK_SYSTEM(flock(lock, LOCK_EX | LOCK_NB)); /* held by the other: two servers of one name */
            CHECK_SYSTEM(flock(lock, LOCK_UN));
            CHECK_OK(moorline_server_close(server));
            ++turns;
        } else {
            CHECK_STATUS(status, MOORLINE_NAME_IN_USE);
        }
    }
    CHECK_OK(moorline_server_destroy(server));
}

static void test_never_two_servers_of_one_name(void)
{
    struct race race = {.name = in_test_directory("name")};
    struct path lock = in_test_directory("lock");
    write_file(lock.text, "");
    struct child racers[2];
    for (int i = 0; i < 2; ++i) {
        racers[i] = child_start(take_turns, &race);
    }
    line_hear(racers[0].line, 'r');
    line_hear(racers[1].line, 'r');
    line_say(racers[0].line, 'g');
    line_say(racers[1].line, 'g');
    child_expect_success(&racers[0]);
    child_expect_success(&racers[1]);
    CHECK_SYSTEM(unlink(lock.text));
}

/* --- a name that appears leads to a listening server, with its mode, from the first instant --- */

/* More than the umask leaves, so that a mode that comes after the name is seen to come. */
enum { WIDE_MODE = 0666, NARROW_UMASK = 077 };

static atomic_int round_begun;
static atomic_int round_seen;

static void look_for_names(void *context)
{
    (void)context;
    for (int round = 0; round < ROUNDS; ++round) {
        char name[32];
        snprintf(name, sizeof name, "%d", round);
        struct path file = in_test_directory(name);
        atomic_store(&round_begun, round + 1);
        while (!exists(file.text)) {
        }
        CHECK_NUMBER(mode_of(file.text), WIDE_MODE);
        CHECK_SYSTEM(close(raw_connect(file.text)));
        atomic_store(&round_seen, round + 1);
    }
}

static void test_a_name_that_appears_is_served(void)
{
    struct worker looker;
    const mode_t umask_before = umask(NARROW_UMASK);
    atomic_store(&round_begun, 0);
    atomic_store(&round_seen, 0);
    worker_start(&looker, look_for_names, NULL);
    moorline_server *server = NULL;
    moorline_server_options options = {.struct_size = sizeof options, .mode = WIDE_MODE};
    CHECK_OK(moorline_server_create(&options, &server));
    for (int round = 0; round < ROUNDS; ++round) {
        char name[32];
        snprintf(name, sizeof name, "%d", round);
        while (atomic_load(&round_begun) != round + 1) {
            let_time_pass_ms(0);
        }
        CHECK_OK(moorline_server_listen(server, name));
        while (atomic_load(&round_seen) != round + 1) {
            let_time_pass_ms(0);
        }
        CHECK_OK(moorline_server_close(server));
    }
    worker_join(&looker);
    CHECK_OK(moorline_server_destroy(server));
    (void)umask(umask_before);
}

/* --- killed at any moment --- */

static void listen_all_the_time(int line, void *context)
{
    moorline_server *server = new_server();
    line_say(line, 'r');
    for (;;) {
        moorline_status status = moorline_server_listen(server, context);
        CHECK(status == MOORLINE_OK || status == MOORLINE_NAME_IN_USE);
        CHECK_OK(moorline_server_close(server));
    }
}

/* At whatever point of taking or giving back the name two processes die: the next to come finds a free name and leaves nothing of
   theirs. */
static void test_processes_killed_at_any_moment(void)
{
    char name[] = "name";
    moorline_server *server = new_server();
    for (int round = 0; round < 150; ++round) {
        struct child children[2];
        for (int i = 0; i < 2; ++i) {
            children[i] = child_start(listen_all_the_time, name);
            line_hear(children[i].line, 'r');
        }
        for (volatile int pause = 0; pause < round * 2000; ++pause) {
        }
        child_kill(&children[0]);
        child_kill(&children[1]);
        CHECK_OK(moorline_server_listen(server, name));
        CHECK_NUMBER(files_in(test_directory()), 1);
        expect_served(server, name, NULL);
        CHECK_OK(moorline_server_close(server));
        CHECK_NUMBER(files_in(test_directory()), 0);
    }
    CHECK_OK(moorline_server_destroy(server));
}

int main(void)
{
    RUN(test_processes_killed_at_any_moment);
    RUN(test_a_race_for_a_free_name_has_one_winner);
    RUN(test_a_race_for_a_dead_name_has_one_winner);
    RUN(test_never_two_servers_of_one_name);
    RUN(test_a_name_that_appears_is_served);
    return 0;
}
