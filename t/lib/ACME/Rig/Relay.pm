package ACME::Rig::Relay;

# A TCP relay on loopback that makes the way to a server long or bad.
#
#   my $relay = ACME::Rig::Relay->new($rig, to => $ca->port, delay => 0.025);
#   ... connect to $relay->port ...
#   $relay->set(mode => 'stall');
#
# Every byte is delayed by `delay` seconds in each direction, and the first
# bytes of a connection by one round trip more, which is what TCP's
# handshake costs. Order is kept and the rate is not limited. The relay is
# one process with one event loop.
#
# Modes, for connections made from then on unless said otherwise:
#   pass     the normal way
#   refuse   accept and reset at once
#   stall    accept, then forward nothing in either direction
#   cut      close both sides after `after` bytes from the server
# `mode => 'stall', now => 1` also catches the connections that exist.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Handle;
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY AF_UNIX
              SOCK_STREAM PF_UNSPEC);
use Time::HiRes qw(time);
use ACME::Rig ();

sub new
{
    my ($class, $rig, %opt) = @_;
    my $port = $opt{port} // $rig->port;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $port, Listen => 512, ReuseAddr => 1)
        or die "relay: cannot listen on $port: $!\n";
    socketpair(my $mine, my $its, AF_UNIX, SOCK_STREAM, PF_UNSPEC)
        or die "socketpair: $!\n";
    my $self = bless { rig => $rig, port => $port, control => $mine,
        to => $opt{to}, delay => $opt{delay} // 0 }, $class;

    $mine->autoflush(1);
    $self->{pid} = $rig->spawn_sub(sub {
        close $mine;
        ACME::Rig::Relay::Loop->new($listener, $its, $self)->run;
    });
    close $its;
    close $listener;
    return $rig->adopt($self);
}

sub port { return $_[0]{port} }

# Change mode, after or delay; returns when the relay has taken it up.
sub set
{
    my ($self, %change) = @_;

    return $self->_ask(\%change);
}

# { connections, open, up (bytes to the server), down }.
sub stats { my ($self) = @_; return $self->_ask({}) }

sub _ask
{
    my ($self, $message) = @_;
    my $control = $self->{control};

    print {$control} JSON::PP->new->utf8->encode($message), "\n";
    my $line = <$control> // die "the relay is gone\n";
    return JSON::PP->new->utf8->decode($line);
}

sub stop
{
    my ($self) = @_;

    $self->{rig}->kill_pid(delete $self->{pid}, 'KILL');
    return;
}

# ----------------------------------------------------------------- loop
package ACME::Rig::Relay::Loop;

use Errno qw(EAGAIN EINTR EINPROGRESS);
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY pack_sockaddr_in
              inet_aton PF_INET SOCK_STREAM);
use Time::HiRes qw(time);

# A connection is a pair of ends; an end has a socket, the queue of chunks
# [due, bytes] that wait to be written to it, and the link to its peer. A
# chunk of undef is the end of the stream.
sub new
{
    my ($class, $listener, $control, $relay) = @_;

    $listener->blocking(0);
    return bless { listener => $listener, control => $control,
        to => $relay->{to}, delay => $relay->{delay}, mode => 'pass',
        after => 0, ends => {}, connections => 0, up => 0, down => 0 },
        $class;
}

sub run
{
    my ($self) = @_;

    $SIG{PIPE} = 'IGNORE';
    while (1) {
        my ($rin, $win, $wait) = $self->_interest;
        my $n = select(my $r = $rin, my $w = $win, undef, $wait);
        next if $n < 0;
        return if vec($r, fileno $self->{control}, 1) && !$self->_control;
        $self->_accept if vec($r, fileno $self->{listener}, 1);
        for my $end ($self->_ends) {
            next if $end->{closed};
            $self->_read($end) if vec($r, $end->{fd}, 1);
        }
        $self->_flush(time);
    }
}

# What to wait for: readable ends, ends whose next chunk is due but did not
# fit, and the time until the next chunk is due.
sub _interest
{
    my ($self) = @_;
    my ($rin, $win) = ('', '');
    my $now = time;
    my $next;

    vec($rin, fileno $self->{$_}, 1) = 1 for qw(control listener);
    for my $end (values %{$self->{ends}}) {
        vec($rin, $end->{fd}, 1) = 1 if !$end->{eof} && !$end->{stalled};
        my $chunk = $end->{queue}[0] or next;
        next if $end->{stalled};
        if ($chunk->[0] <= $now) {
            vec($win, $end->{fd}, 1) = 1;
        }
        elsif (!defined $next || $chunk->[0] < $next) {
            $next = $chunk->[0];
        }
    }
    return ($rin, $win, defined $next ? $next - $now : undef);
}

# A copy: the loop that walks it may close ends.
sub _ends { my @ends = values %{$_[0]{ends}}; return @ends }

sub _control
{
    my ($self) = @_;
    my $n = sysread $self->{control}, $self->{line}, 4096,
        length($self->{line} // '');

    return 0 if !$n;
    while ($self->{line} =~ s/^(.*)\n//) {
        my $change = JSON::PP->new->utf8->decode($1);
        $self->{$_} = $change->{$_}
            for grep { defined $change->{$_} } qw(mode after delay);
        if ($change->{now} && ($change->{mode} // '') eq 'stall') {
            $_->{stalled} = 1 for values %{$self->{ends}};
        }
        my $stats = { connections => $self->{connections},
            open => scalar(keys %{$self->{ends}}) / 2,
            up => $self->{up}, down => $self->{down} };
        syswrite $self->{control}, JSON::PP->new->utf8->encode($stats) . "\n";
    }
    return 1;
}

sub _accept
{
    my ($self) = @_;

    while (my $client = $self->{listener}->accept) {
        $self->{connections}++;
        if ($self->{mode} eq 'refuse') {
            _reset($client);
            next;
        }
        my $server = $self->_connect or do { _reset($client); next };
        my $ready = time + 2 * $self->{delay};
        my ($near, $far) = map { _end($_) } $client, $server;
        @$near{qw(peer side)} = ($far, 'client');
        @$far{qw(peer side)} = ($near, 'server');
        # The client could not have sent before the handshake was over.
        $far->{not_before} = $ready + $self->{delay};
        $near->{cut_after} = $self->{after} if $self->{mode} eq 'cut';
        for my $end ($near, $far) {
            $end->{stalled} = 1 if $self->{mode} eq 'stall';
            $self->{ends}{$end->{fd}} = $end;
        }
    }
    return;
}

sub _connect
{
    my ($self) = @_;
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->{to}, Proto => 'tcp') or return undef;

    return $server;
}

sub _end
{
    my ($sock) = @_;

    $sock->blocking(0);
    setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;
    return { sock => $sock, fd => fileno $sock, queue => [], written => 0 };
}

# Close with a reset instead of a farewell.
sub _reset
{
    my ($sock) = @_;

    setsockopt $sock, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    close $sock;
    return;
}

sub _read
{
    my ($self, $end) = @_;
    my $n = sysread $end->{sock}, my $data, 262_144;

    return if !defined $n && ($! == EAGAIN || $! == EINTR);
    my $to = $end->{peer};
    my $due = time + $self->{delay};
    $due = $to->{not_before}
        if $to->{not_before} && $to->{not_before} > $due;
    if ($n) {
        $self->{$end->{side} eq 'client' ? 'up' : 'down'} += $n;
        push @{$to->{queue}}, [$due, $data];
    }
    else {
        $end->{eof} = 1;
        push @{$to->{queue}}, [$due, undef];
    }
    return;
}

sub _flush
{
    my ($self, $now) = @_;

    for my $end ($self->_ends) {
        next if $end->{closed} || $end->{stalled};
        while (my $chunk = $end->{queue}[0]) {
            last if $chunk->[0] > $now;
            last if !$self->_write($end, $chunk);
            shift @{$end->{queue}};
        }
        $self->_close($end) if !$end->{closed} && $end->{done}
            && $end->{peer}{done};
    }
    return;
}

# Write one chunk to an end. Returns false when it did not fit.
sub _write
{
    my ($self, $end, $chunk) = @_;

    if (!defined $chunk->[1]) {
        shutdown $end->{sock}, 1;
        $end->{done} = 1;
        return 1;
    }
    my $cut = defined $end->{cut_after}
        && $end->{written} + length $chunk->[1] >= $end->{cut_after};
    substr($chunk->[1], $end->{cut_after} - $end->{written}) = '' if $cut;
    my $n = syswrite $end->{sock}, $chunk->[1];
    if (!defined $n && $! != EAGAIN && $! != EINTR) {
        $self->_close($end);
        return 0;
    }
    $end->{written} += $n // 0;
    substr($chunk->[1], 0, $n // 0) = '';
    return 0 if length $chunk->[1];
    $self->_close($end) if $cut;
    return !$cut;
}

sub _close
{
    my ($self, $end) = @_;

    for my $one ($end, $end->{peer}) {
        next if $one->{closed}++;
        delete $self->{ends}{$one->{fd}};
        close $one->{sock};
    }
    return;
}

1;
