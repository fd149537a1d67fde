/*
 * The socket in the job directory: see control.h.
 *
 * Fact: a socket's path holds 108 bytes (unix(7)); job directories are longer.
 * /proc/self/fd/N/control names the same place in 30.
 */
#include "job/control.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CONTROL_NAME "control"

static struct sockaddr_un address_in(int dirfd)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/" CONTROL_NAME, dirfd);
	return a;
}

int control_open(struct control *c, int dirfd, struct err *e)
{
	struct sockaddr_un address = address_in(dirfd);
	int r = 0;

	*c = (struct control){.dirfd = dirfd, .listener = -1};
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		c->client[i].fd = -1;
	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listener < 0)
		return err_sys(e, -errno, "no control socket");
	/* The job's lock is ours, so whatever is there was left by a dead cragon. */
	unlinkat(dirfd, CONTROL_NAME, 0);
	if (bind(c->listener, (struct sockaddr *)&address, sizeof address) < 0 ||
		fchmodat(dirfd, CONTROL_NAME, 0600, 0) < 0 ||
		listen(c->listener, CONTROL_CLIENTS) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	close_p(&c->listener);
	return err_sys(e, r, "no control socket in the job directory");
}

static void drop(struct control_client *client)
{
	close_p(&client->fd);
	client->len = 0;
}

void control_done(struct control *c)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		drop(&c->client[i]);
	if (c->listener >= 0)
		unlinkat(c->dirfd, CONTROL_NAME, 0);
	close_p(&c->listener);
}

void control_watch(const struct control *c, struct pollfd *fds)
{
	fds[0] = (struct pollfd){.fd = c->listener, .events = POLLIN};
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		fds[1 + i] = (struct pollfd){.fd = c->client[i].fd, .events = POLLIN};
}

static bool trusted(int fd)
{
	struct ucred peer;
	socklen_t n = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return false;
	return peer.uid == geteuid() || peer.uid == 0;
}

/* A full table means that somebody hoards connections: the first one goes. */
static void admit(struct control *c)
{
	int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i = 0;

	if (fd < 0)
		return;
	if (!trusted(fd)) {
		close(fd);
		return;
	}
	while (i < CONTROL_CLIENTS && c->client[i].fd >= 0)
		i++;
	if (i == CONTROL_CLIENTS)
		drop(&c->client[i = 0]);
	c->client[i].fd = fd;
	c->client[i].len = 0;
}

json_t *control_refusal(const struct err *e)
{
	json_t *text = json_string(e->text);

	return json_pack("{s:b, s:s, s:o}", "ok", 0, "why", why_name(e->why), "text",
		text ? text : json_string("(not UTF-8)"));
}

static json_t *answer_line(const char *line, size_t len, control_answer_fn *answer, void *ctx)
{
	json_t *request = json_loadb(line, len, 0, NULL), *reply;
	struct err e = {0};

	if (!json_is_object(request)) {
		json_decref(request);
		err_set(&e, -EINVAL, WHY_USAGE, "the request is not a JSON object");
		return control_refusal(&e);
	}
	reply = answer(ctx, request);
	json_decref(request);
	return reply;
}

/* An answer is far smaller than a socket's buffer: one send or none. */
static int reply_to(int fd, json_t *reply)
{
	cleanup_free char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
	size_t n = text ? strlen(text) : 0;

	json_decref(reply);
	if (!text)
		return -ENOMEM;
	text[n] = '\n';
	return send(fd, text, n + 1, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n + 1 ? 0 : -EIO;
}

static void serve_one(struct control_client *client, control_answer_fn *answer, void *ctx)
{
	size_t room = sizeof client->line - client->len;
	ssize_t n = room ? recv(client->fd, client->line + client->len, room, MSG_DONTWAIT) : 0;
	char *newline;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(client);
		return;
	}
	client->len += (size_t)n;
	while ((newline = memchr(client->line, '\n', client->len))) {
		size_t used = (size_t)(newline - client->line) + 1;

		if (reply_to(client->fd, answer_line(client->line, used - 1, answer, ctx)) < 0) {
			drop(client);
			return;
		}
		client->len -= used;
		memmove(client->line, client->line + used, client->len);
	}
}

void control_serve(
	struct control *c, const struct pollfd *fds, control_answer_fn *answer, void *ctx)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (fds[1 + i].revents && fds[1 + i].fd == c->client[i].fd)
			serve_one(&c->client[i], answer, ctx);
	if (fds[0].revents)
		admit(c);
}

/* ---- the asking side -------------------------------------------------------- */

static int receive_line(int fd, struct buf *line)
{
	char c;

	for (;;) {
		ssize_t n = recv(fd, &c, 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ECONNRESET;
		if (c == '\n')
			return buf_error(line);
		if (line->len >= 1024 * 1024)
			return -EMSGSIZE;
		buf_add(line, &c, 1);
	}
}

int control_ask(const char *jobdir, const json_t *request, json_t **ret, struct err *e)
{
	cleanup_fd int dir = open(jobdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cleanup_free char *text = json_dumps(request, JSON_COMPACT);
	cleanup_buf struct buf line = {0};
	struct sockaddr_un address;
	size_t n;
	int r;

	if (dir < 0 || fd < 0)
		return err_sys(e, -errno, "job directory %s", jobdir);
	if (!text)
		return err_sys(e, -ENOMEM, "cannot ask cragon");
	address = address_in(dir);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return err_sys(e, -errno, "cannot reach the cragon that runs this job");
	n = strlen(text);
	text[n] = '\n';
	if (send(fd, text, n + 1, MSG_NOSIGNAL) != (ssize_t)n + 1)
		return err_sys(e, -errno, "cannot ask the cragon that runs this job");
	r = receive_line(fd, &line);
	if (r < 0)
		return err_set(
			e, r, WHY_NO_JOB, "the cragon that runs this job ended without an answer");
	*ret = json_loadb(line.data ? line.data : "", line.len, 0, NULL);
	if (!json_is_object(*ret)) {
		json_decref(*ret);
		return err_set(e, -EPROTO, WHY_SYSTEM, "cragon's answer cannot be understood");
	}
	return 0;
}
