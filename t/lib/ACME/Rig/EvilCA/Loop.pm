package ACME::Rig::EvilCA::Loop;

# The HTTPS server below ACME::Rig::EvilCA: one event loop, HTTP/1.1 with
# keep-alive, answers that may come late, in part, without end or never.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR);
use IO::Socket::SSL;
use Time::HiRes qw(time);

my $FILLER = ' ' x 16_384;

# A connection: sock, state (handshake, open), in, out, and the limits of
# the answer under way: left (bytes that may still be sent), then ("stall"
# or "close"), fill (bytes of body still to be made), endless.
sub new
{
    my ($class, $listener, $tls, $answer, $config) = @_;
    my $context = IO::Socket::SSL::SSL_Context->new(SSL_server => 1,
        SSL_cert_file => $tls->{cert}, SSL_key_file => $tls->{key},
        %{$config // {}}) or die "evil CA: $SSL_ERROR\n";

    $listener->blocking(0);
    return bless { listener => $listener, context => $context,
                   answer => $answer, conns => {} }, $class;
}

sub run
{
    my ($self) = @_;

    $SIG{PIPE} = 'IGNORE';
    while (1) {
        my ($rin, $win, $wait) = $self->_interest;
        my $n = select(my $r = $rin, my $w = $win, undef, $wait);
        next if $n < 0;
        $self->_accept if vec($r, fileno $self->{listener}, 1);
        my @conns = values %{$self->{conns}};
        for my $conn (@conns) {
            $self->_step($conn, vec($r, $conn->{fd}, 1));
        }
    }
}

sub _interest
{
    my ($self) = @_;
    my ($rin, $win, $wait) = ('', '', undef);
    my $now = time;

    vec($rin, fileno $self->{listener}, 1) = 1;
    for my $conn (values %{$self->{conns}}) {
        vec($rin, $conn->{fd}, 1) = 1;
        if ($conn->{due} && $conn->{due} > $now) {
            my $left = $conn->{due} - $now;
            $wait = $left if !defined $wait || $left < $wait;
        }
        elsif ($conn->{want_write} || _has_output($conn)) {
            vec($win, $conn->{fd}, 1) = 1;
        }
    }
    return ($rin, $win, $wait);
}

sub _has_output
{
    my ($conn) = @_;

    return 0 if defined $conn->{left} && $conn->{left} <= 0
        && $conn->{then} eq 'stall';
    return length $conn->{out} || $conn->{fill} || $conn->{endless};
}

sub _accept
{
    my ($self) = @_;

    while (my $sock = $self->{listener}->accept) {
        $sock->blocking(0);
        my $tls = IO::Socket::SSL->start_SSL($sock, SSL_server => 1,
            SSL_reuse_ctx => $self->{context}, SSL_startHandshake => 0)
            or next;
        $self->{conns}{fileno $tls} = { sock => $tls, fd => fileno $tls,
            state => 'handshake', in => '', out => '', fill => 0 };
    }
    return;
}

sub _step
{
    my ($self, $conn, $readable) = @_;

    return $self->_handshake($conn) if $conn->{state} eq 'handshake';
    $self->_read($conn) if $readable;
    return if $conn->{closed};
    $self->_take_request($conn) if !_has_output($conn) && !$conn->{due};
    return if $conn->{due} && $conn->{due} > time;
    delete $conn->{due};
    $self->_write($conn) if _has_output($conn);
    return;
}

sub _handshake
{
    my ($self, $conn) = @_;

    $conn->{want_write} = 0;
    if ($conn->{sock}->accept_SSL) {
        $conn->{state} = 'open';
        return $self->_step($conn, 1);
    }
    return if $SSL_ERROR == SSL_WANT_READ;
    $conn->{want_write} = 1, return if $SSL_ERROR == SSL_WANT_WRITE;
    return $self->_close($conn);
}

sub _read
{
    my ($self, $conn) = @_;

    while (1) {
        my $n = $conn->{sock}->sysread($conn->{in}, 65_536,
                                       length $conn->{in});
        return if !defined $n && ($! == EAGAIN || $! == EINTR);
        return $self->_close($conn) if !$n;
    }
}

# One complete request, if there is one: answer it.
sub _take_request
{
    my ($self, $conn) = @_;
    my $end = index $conn->{in}, "\r\n\r\n";

    return if $end < 0;
    my ($line, @lines) = split /\r\n/, substr $conn->{in}, 0, $end;
    my %headers = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines;
    my $size = $headers{'content-length'} // 0;
    return if length $conn->{in} < $end + 4 + $size;
    my $body = substr $conn->{in}, $end + 4, $size;
    substr($conn->{in}, 0, $end + 4 + $size) = '';
    my ($method, $path) = split / /, $line;
    my $answer = $self->{answer}->({ method => $method, path => $path,
        headers => \%headers, body => $body });
    return $self->_close($conn) if $answer->{drop};
    $conn->{last} = lc($headers{connection} // '') eq 'close';
    return _queue($conn, $answer);
}

sub _queue
{
    my ($conn, $answer) = @_;

    $conn->{out} = $answer->{raw};
    $conn->{fill} = $answer->{huge} // 0;
    $conn->{endless} = $answer->{endless};
    $conn->{due} = time + $answer->{delay} if $answer->{delay};
    delete @$conn{qw(left then)};
    for my $way ('stall', 'cut') {
        next if !defined $answer->{$way};
        @$conn{qw(left then)} = ($answer->{$way}, $way);
    }
    return;
}

sub _write
{
    my ($self, $conn) = @_;

    _refill($conn) if !length $conn->{out};
    my $size = length $conn->{out};
    $size = $conn->{left} if defined $conn->{left} && $conn->{left} < $size;
    my $n = $size ? $conn->{sock}->syswrite($conn->{out}, $size) : 0;
    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR;
        return $self->_close($conn);
    }
    substr($conn->{out}, 0, $n) = '';
    if (defined $conn->{left}) {
        $conn->{left} -= $n;
        $self->_close($conn) if $conn->{left} <= 0 && $conn->{then} eq 'cut';
    }
    elsif ($conn->{last} && !_has_output($conn)) {
        $self->_close($conn);
    }
    return;
}

# The next piece of a body that is made while it is sent.
sub _refill
{
    my ($conn) = @_;

    if ($conn->{endless}) {
        $conn->{out} = sprintf "%x\r\n%s\r\n", length $FILLER, $FILLER;
        return;
    }
    my $size = $conn->{fill} < length $FILLER ? $conn->{fill}
                                              : length $FILLER;
    $conn->{out} = substr $FILLER, 0, $size;
    $conn->{fill} -= $size;
    return;
}

sub _close
{
    my ($self, $conn) = @_;

    $conn->{closed} = 1;
    delete $self->{conns}{$conn->{fd}};
    # After a failed handshake it is a plain socket again.
    $conn->{sock}->close($conn->{sock}->isa('IO::Socket::SSL')
        ? (SSL_no_shutdown => 1) : ());
    return;
}

1;
