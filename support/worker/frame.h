/* worker: frames on the socket between the two processes. */
#ifndef ACME_WORKER_FRAME_H
#define ACME_WORKER_FRAME_H

#include "worker/worker.h"

/** Largest frame, bytes: a chain of 256 KiB, escaped, and room. */
#define FRAME_MAX (1024 * 1024)

/** Write one frame. @return APR_EOF when the other side is gone */
apr_status_t frame_write(int fd, const json_t *message, acme_err_t *err);

/**
 * Read one frame.
 *
 * @param timeout  longest silence, µs; -1 = for ever
 * @return APR_EOF when the other side closed between frames; APR_TIMEUP;
 *         APR_EINVAL for bytes that are no frame
 */
apr_status_t frame_read(json_t **pmessage, int fd,
                        apr_interval_time_t timeout, acme_err_t *err,
                        apr_pool_t *result_pool);

/** An error as a JSON object, and back. */
json_t *frame_err_pack(const acme_err_t *err);
apr_status_t frame_err_unpack(acme_err_t *err, const json_t *packed);

/** An acme_host_t whose calls go over fd. */
acme_host_t *proxy_host_make(int fd, apr_pool_t *pool);

/** Tell the keeper that the engine ended. */
apr_status_t proxy_end(int fd, const acme_err_t *outcome, acme_err_t *err);

/** Answer the worker's calls with host until it says end.
 *  @param done  per job: set to 1 when it was reported */
apr_status_t serve_calls(int fd, acme_host_t *host,
                         const worker_plan_t *plan, char *done,
                         acme_err_t *err, apr_pool_t *scratch_pool);

/** The net worker's whole life; does not return. */
void net_main(int fd, const worker_plan_t *plan, apr_pool_t *pool)
    __attribute__((noreturn));

#endif
