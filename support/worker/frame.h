/* worker: frames on the socket between the two processes. */
#ifndef ACME_WORKER_FRAME_H
#define ACME_WORKER_FRAME_H

#include <sys/types.h>

#include "http/http.h"
#include "worker/worker.h"

/** Largest frame, bytes: a chain of 256 KiB, escaped, and room. */
#define FRAME_MAX (1024 * 1024)

/**
 * Write one frame.
 * Source: ours.
 *
 * @param timeout  how long the other side may leave it unread, µs; -1 = for
 *                 ever
 * @return APR_EOF when the other side is gone; APR_TIMEUP, then part of the
 *         frame may be written; APR_EINVAL for a message that makes no
 *         frame, then nothing is written
 */
apr_status_t frame_write(int fd, const json_t *message,
                         apr_interval_time_t timeout, acme_err_t *err);

/**
 * Read one frame.
 * Source: ours.
 *
 * @param timeout  how long the frame may take to begin, and again to end,
 *                 µs; -1 = for ever
 * @return APR_EOF when the other side closed between frames;
 *         APR_INCOMPLETE when it did inside one; APR_TIMEUP; APR_EINVAL for
 *         bytes that are no frame
 */
apr_status_t frame_read(json_t **pmessage, int fd,
                        apr_interval_time_t timeout, acme_err_t *err,
                        apr_pool_t *result_pool);

/** An error as a JSON object; a new reference. */
json_t *frame_err_pack(const acme_err_t *err);

/** The error in packed, fit to be shown; whoever packed it is not believed.
 *  @return APR_EINVAL if packed is none, err then unchanged */
apr_status_t frame_err_unpack(acme_err_t *err, const json_t *packed);

/** An acme_host_t whose calls go over fd. */
acme_host_t *proxy_host_make(int fd, apr_pool_t *pool);

/** Tell the keeper that the engine ended. */
apr_status_t proxy_end(int fd, const acme_err_t *outcome, acme_err_t *err);

/**
 * Answer the worker's calls with host until it says end.
 * Source: ours.
 *
 * @param done    per job: set to 1 when it was reported
 * @param pended  set to 1 when the worker said end
 * @return APR_SUCCESS, or what the worker said at its end; APR_EINVAL for a
 *         call that makes no sense, and otherwise as frame_read, when it
 *         did not come so far
 */
apr_status_t serve_calls(int fd, acme_host_t *host,
                         const worker_plan_t *plan, char *done, int *pended,
                         acme_err_t *err, apr_pool_t *scratch_pool);

/** 1 if the plan's jobs are questions to OCSP responders. */
int ocsp_plan_is(const worker_plan_t *plan);

/**
 * Ask the responders of a plan, all at once; host->staple_save is given
 * what they answer, host->done is called once for each job.
 * Source: RFC 6960 A.1.
 *
 * @return APR_SUCCESS, whatever came of it; an error when the loop itself
 *         could not go on
 */
apr_status_t ocsp_ask(const worker_plan_t *plan, http_transport_t *transport,
                      acme_host_t *host, base_clock_t *clock,
                      acme_err_t *err, apr_pool_t *pool);

/** The same with a transport of its own, the only one that knows http. */
apr_status_t ocsp_run(const worker_plan_t *plan, acme_host_t *host,
                      acme_err_t *err, apr_pool_t *pool);

/** The net worker's whole life; does not return.
 *  @param keeper  the process that forked it and with which it ends */
void net_main(int fd, pid_t keeper, const worker_plan_t *plan,
              apr_pool_t *pool) __attribute__((noreturn));

#endif
