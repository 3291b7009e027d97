/*
 * measure: run a program and write what it took, its children included, for
 * t/bench.
 *
 *   measure FILE PROGRAM [ARG...]
 *
 * FILE gets one line: wall and CPU time in seconds, the largest memory that
 * one of the processes had in KiB. The exit status is the program's; 127 if
 * it could not be run.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
    return t.tv_sec + t.tv_usec / 1e6;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static int usage_write(const char *file, double wall)
{
    struct rusage usage;
    FILE *out = fopen(file, "w");

    if (!out || getrusage(RUSAGE_CHILDREN, &usage) != 0) {
        perror(file);
        return 0;
    }
    fprintf(out, "%.6f %.6f %ld\n", wall,
            seconds(usage.ru_utime) + seconds(usage.ru_stime),
            usage.ru_maxrss);
    return fclose(out) == 0;
}

int main(int argc, char **argv)
{
    double start = now();
    int status;
    pid_t pid;

    if (argc < 3) {
        fprintf(stderr, "usage: measure FILE PROGRAM [ARG...]\n");
        return 2;
    }
    pid = fork();
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (pid < 0 || !usage_write(argv[1], now() - start)) {
        return 127;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
