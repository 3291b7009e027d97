package ACME::Rig::Terminal;

# A program on a terminal, somebody who looks at it and types.
#
#   my $terminal = ACME::Rig::Terminal->new($rig, [$program, @arguments],
#                                           env => { TERM => 'xterm' });
#   $terminal->until(qr/Redirect\?/);      # dies after 15 s
#   $terminal->type("\t\r");
#   is $terminal->end, 0, 'exit status';
#   is $terminal->screen, '', 'nothing is left on it';
#
# What is looked at is the screen, not the bytes: what was drawn over is not
# seen. Of a terminal's sequences it knows those that curses and newt write
# for xterm, and dies of others. Sizes do not change.

use strict;
use warnings;

use IO::Select;
use POSIX ();
use Time::HiRes qw(time);
use ACME::Rig ();

use constant DEADLINE => 15;

# Whether IO::Pty is installed.
sub can { return eval { require IO::Pty; 1 } ? 1 : 0 }

sub new
{
    my ($class, $rig, $cmd, %opt) = @_;
    my ($rows, $columns) = @opt{qw(rows columns)};

    require IO::Pty;
    my $pty = IO::Pty->new or die "cannot make a terminal: $!\n";
    # The handle stays open: the terminal is looked at afterwards as well.
    my $slave = $pty->slave;
    $slave->set_winsize($rows // 24, $columns // 80);
    my $self = bless {
        rig => $rig, pty => $pty, slave => $slave, bytes => '', pending => '',
        rows => $rows // 24, columns => $columns // 80, row => 0, column => 0,
    }, $class;
    $self->_clear(0, $self->{rows} - 1);
    $self->{before} = $self->mode;
    $self->{pid} = $rig->spawn_sub(sub {
        $pty->make_slave_controlling_terminal;
        for ([\*STDIN, '<&'], [\*STDOUT, '>&'], [\*STDERR, '>&']) {
            open $_->[0], $_->[1], $slave or die "terminal: $!\n";
        }
        ACME::Rig::_child_env($opt{env});
        close $pty;
        $opt{begin}->() if $opt{begin};
        { no warnings 'exec'; exec { $cmd->[0] } @$cmd; }
        die "cannot run $cmd->[0]: $!\n";
    });
    return $self;
}

sub pid { return $_[0]{pid} }

# All bytes that were written to it.
sub bytes { return $_[0]{bytes} }

# How it is set, as text; and how it was before the program began.
sub mode
{
    my ($self) = @_;
    my $mode = POSIX::Termios->new;

    $mode->getattr(fileno $self->{slave});
    return join ' ', $mode->getiflag, $mode->getoflag, $mode->getcflag,
        $mode->getlflag, map { $mode->getcc($_) } 0 .. POSIX::NCCS() - 1;
}

sub mode_before { return $_[0]{before} }

# The screen as text, without blanks at the end of lines and of it.
sub screen
{
    my ($self) = @_;
    my $text = '';

    $self->_read(0);
    for my $line (@{$self->{lines}}) {
        $text .= join('', @$line) =~ s/\s+$//r . "\n";
    }
    return $text =~ s/\s+$//r;
}

sub until
{
    my ($self, $pattern, $seconds) = @_;
    my $deadline = time + ($seconds // DEADLINE);

    while ($self->screen !~ $pattern) {
        die "the terminal does not show $pattern but:\n", $self->screen, "\n"
            if time > $deadline || !$self->_read(0.1) && !$self->alive
               && $self->screen !~ $pattern;
    }
    $self->_settle;
    return $self;
}

# A program that has drawn need not read keys yet, and may throw away what
# was typed too early: wait until it says nothing more.
sub type
{
    my ($self, @keys) = @_;

    for my $keys (@keys) {
        $self->_settle;
        syswrite $self->{pty}, $keys;
    }
    return $self;
}

# It is drawn when nothing more comes.
sub _settle { my ($self) = @_; 1 while $self->_read(0.1); return }

sub alive { my ($self) = @_; return $self->{rig}->alive($self->{pid}) }

# The process ids of its children.
sub children
{
    my ($self) = @_;
    my $pids = $self->{rig}->read_file("/proc/$self->{pid}/task/$self->{pid}"
                                       . '/children') // '';

    return split ' ', $pids;
}

# Wait for the end of the program. Returns its exit status, or "signal N".
sub end
{
    my ($self, $seconds) = @_;
    my $status;

    ACME::Rig::wait_for($seconds // DEADLINE, "the end of the program on:\n"
                        . $self->screen, sub {
        $self->_read(0);
        return waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid}
               && defined($status = $?);
    });
    delete $self->{rig}{pids}{$self->{pid}};
    1 while $self->_read(0.05);
    return $status & 127 ? 'signal ' . ($status & 127) : $status >> 8;
}

# ---------------------------------------------------------------- sequences

# Read and draw. Returns whether there was anything within so many seconds.
sub _read
{
    my ($self, $seconds) = @_;
    my $any = 0;

    while (IO::Select->new($self->{pty})->can_read($any ? 0 : $seconds)) {
        my $n = sysread $self->{pty}, my $bytes, 65536;
        last if !$n;
        $any = 1;
        $self->{bytes} .= $bytes;
        $self->{pending} .= $bytes;
        $self->_draw;
    }
    return $any;
}

sub _clear
{
    my ($self, $from, $to) = @_;

    $self->{lines}[$_] = [(' ') x $self->{columns}] for $from .. $to;
    return;
}

sub _line { my ($self) = @_; return $self->{lines}[$self->{row}] }

sub _move
{
    my ($self, $row, $column) = @_;

    $self->{row} = $row < 0 ? 0
        : $row >= $self->{rows} ? $self->{rows} - 1 : $row;
    $self->{column} = $column < 0 ? 0 : $column;
    return;
}

sub _line_feed
{
    my ($self) = @_;

    if ($self->{row} < $self->{rows} - 1) {
        $self->{row}++;
        return;
    }
    shift @{$self->{lines}};
    $self->_clear($self->{row}, $self->{row});
    return;
}

sub _put
{
    my ($self, $char) = @_;

    if ($self->{column} >= $self->{columns}) {
        $self->{column} = 0;
        $self->_line_feed;
    }
    $self->_line->[$self->{column}++] = $char;
    return;
}

# Erase a part of the screen or the line: from the cursor, up to it, all.
sub _erase
{
    my ($self, $part, $screen) = @_;
    my ($row, $column, $last) = ($self->{row}, $self->{column},
                                 $self->{columns} - 1);

    if ($screen && $part != 1) {
        $self->_clear($part == 2 ? 0 : $row + 1, $self->{rows} - 1);
    }
    elsif ($screen) {
        $self->_clear(0, $row - 1);
    }
    my ($from, $to) = $part == 0 ? ($column, $last)
        : $part == 1 ? (0, $column > $last ? $last : $column) : (0, $last);
    $self->_line->[$_] = ' ' for $from .. $to;
    return;
}

# Source: ECMA-48; ctlseqs (xterm).
my %control = (
    A => sub { $_[0]->_move($_[0]{row} - ($_[1] || 1), $_[0]{column}) },
    B => sub { $_[0]->_move($_[0]{row} + ($_[1] || 1), $_[0]{column}) },
    C => sub { $_[0]->_move($_[0]{row}, $_[0]{column} + ($_[1] || 1)) },
    D => sub { $_[0]->_move($_[0]{row}, $_[0]{column} - ($_[1] || 1)) },
    G => sub { $_[0]->_move($_[0]{row}, ($_[1] || 1) - 1) },
    H => sub { $_[0]->_move(($_[1] || 1) - 1, ($_[2] || 1) - 1) },
    J => sub { $_[0]->_erase($_[1] || 0, 1) },
    K => sub { $_[0]->_erase($_[1] || 0, 0) },
    X => sub {
        my ($self, $count) = @_;
        $self->_line->[$_] = ' '
            for grep { $_ < $self->{columns} }
                $self->{column} .. $self->{column} + ($count || 1) - 1;
    },
    d => sub { $_[0]->_move(($_[1] || 1) - 1, $_[0]{column}) },
    b => sub {
        my ($self, $count) = @_;
        my $char = $self->_line->[$self->{column} - 1];
        $self->_put($char) for 1 .. $count || 1;
    },
    P => sub {
        my ($self, $count) = @_;
        my $line = $self->_line;
        splice @$line, $self->{column}, $count || 1;
        push @$line, (' ') x ($self->{columns} - @$line);
    },
    '@' => sub {
        my ($self, $count) = @_;
        my $line = $self->_line;
        splice @$line, $self->{column}, 0, (' ') x ($count || 1);
        $#$line = $self->{columns} - 1;
    },
    # Colors, modes, margins (never other than all), titles.
    map { ($_ => sub { }) } qw(m h l r t n c),
);

sub _control
{
    my ($self, $private, $numbers, $final) = @_;

    die "the terminal does not know ESC [ $private$numbers$final\n"
        if !$control{$final};
    $control{$final}->($self, split /;/, $numbers);
    return;
}

sub _plain
{
    my ($self, $char) = @_;

    if ($char eq "\n") { $self->_line_feed }
    elsif ($char eq "\r") { $self->{column} = 0 }
    elsif ($char eq "\b") { $self->_move($self->{row}, $self->{column} - 1) }
    elsif ($char eq "\t") {
        $self->{column} = ($self->{column} | 7) + 1;
    }
    elsif (ord $char >= 32) { $self->_put($char) }
    return;
}

# Draw what is complete; the rest stays pending.
sub _draw
{
    my ($self) = @_;

    for ($self->{pending}) {
        while (length) {
            if (s/^\e\[([?>=]?)([0-9;]*)([@-~])//) {
                $self->_control($1, $2, $3);
            }
            elsif (s/^\e(?:[()][0AB]|[=>78M])//) { next }
            elsif (s/^\e[^\[()]//) { die "the terminal does not know $&\n" }
            elsif (/^\e/) { return }
            elsif (s/^([\x00-\x7f])//) { $self->_plain($1) }
            # A character of several bytes is one column here.
            elsif (s/^([\xc0-\xff][\x80-\xbf]+)(?=[^\x80-\xbf]|$)//) {
                $self->_put($1);
            }
            elsif (/^[\xc0-\xff][\x80-\xbf]*$/) { return }
            else { s/^.//s }
        }
    }
    return;
}

1;
