#!/usr/bin/perl

# ACMENotify: a program is told what happens to certificates, by the manager
# and by acmectl alike, and cannot disturb either.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use JSON::PP ();
use Time::HiRes qw(time);

use ACME::Scene;
use ACME::Rig::EvilCA;

my $scene = ACME::Scene->new(httpd => { manager => 1 });
my ($rig, $httpd, $ca) = ($scene->rig, $scene->httpd, $scene->ca);
my $told = $rig->make_dir($rig->path('told'), 0777);
my $hook = $httpd->root . '/hook';
my $nobody = getpwnam('nobody');

chmod 0777, $told;

# The program: it writes down all that it is given, then does what the file
# "mode" says: "MODE [EVENT]", for one event or all of them.
my $program = <<'END' =~ s/TOLD/$told/gr =~ s/HOOK/$hook/gr;
#!/usr/bin/perl
use strict;
use warnings;
use JSON::PP ();
use Time::HiRes ();
my ($id, $groups) = ($>, "$)");
open my $out, '>>', 'TOLD/events' or die "events: $!";
my @open = map { m{(\d+)$} ? $1 : () } glob '/proc/self/fd/*';
my %at = map { $_ => readlink("/proc/self/fd/$_") // '' } @open;
delete $at{fileno $out};
my ($sid) = (split ' ', do { local (@ARGV, $/) = '/proc/self/stat'; <> })[5];
syswrite $out, JSON::PP->new->canonical->encode({ args => [@ARGV],
    env => {%ENV}, uid => $id, real => $<, groups => $groups,
    stdin => $at{0}, fds => [grep { $at{$_} && $at{$_} !~ /^anon_inode|proc/ }
        sort keys %at], leads => $sid == $$ ? 1 : 0, dir => readlink '/proc/self/cwd' })
    . "\n";
my ($mode, $for) = do { open my $in, '<', 'TOLD/mode'; split ' ', $in ? <$in> // '' : '' };
$mode = '' if !$mode || ($for && !grep { $_ eq $for } @ARGV);
if ($mode eq 'fail') {
    print STDERR "first words\n\n\e[31mlast words\n";
    exit 3;
}
if ($mode eq 'flood') {
    print 'x' x 99, "\n" for 1 .. 50_000;
    print "\n";
}
if ($mode eq 'hang') {
    $SIG{TERM} = 'IGNORE';
    my $pid = fork // die;
    open my $pids, '>', 'TOLD/pids.new';
    print {$pids} "$$ $pid\n" if $pid;
    close $pids;
    rename 'TOLD/pids.new', 'TOLD/pids' if $pid;
    sleep 100;
}
if ($mode eq 'slow') {
    select undef, undef, undef, 1;
    open my $end, '>', 'TOLD/end';
    print {$end} Time::HiRes::time();
}
if ($mode eq 'wait') {
    open my $ready, '>', 'TOLD/ready';
    for (1 .. 800) { select undef, undef, undef, 0.01 if -e 'HOOK' }
}
END

sub until_true { return eval { ACME::Rig::wait_for(@_); 1 } }

sub write_hook { $rig->write_file($hook, $program, 0755); return }

sub set_mode { $rig->write_file("$told/mode", "@_\n", 0644); return }

sub forget { unlink "$told/events"; return }

sub events
{
    my $text = ACME::Rig->read_file("$told/events") // '';

    return map { JSON::PP->new->decode($_) } split /\n/, $text;
}

# What was told, in order: "arguments" without those of the directive.
sub lines { return map { join ' ', @{$_->{args}}[2 .. $#{$_->{args}}] } events() }

sub told_ok
{
    my ($want, $what) = @_;

    until_true(10, 'the events', sub { my @l = lines(); @l >= @$want });
    return is_deeply [lines()], $want, $what;
}

sub log_like
{
    my ($re, $what) = @_;

    until_true(5, 'the log', sub { $httpd->error_log =~ $re });
    return like $httpd->error_log, $re, $what;
}

sub gone { my @pids = @_; return !grep { ACME::Rig::exists_pid($_) } @pids }

my $text = "ACMENotify hook first \"two words\"\nLogLevel acme:info\n";
my @order = ('renewing a.test',
    'challenge-setup a.test a.test', 'challenge-setup a.test www.a.test',
    'challenge-teardown a.test a.test', 'challenge-teardown a.test www.a.test',
    'renewed a.test', 'installed a.test');

# A setup comes when the CA offers it: the order of two names is its own.
sub in_order
{
    my %place = map { $order[$_] => $_ } 0 .. $#order;

    return sort { ($place{$a} // 99) <=> ($place{$b} // 99) } @_;
}

# ------------------------------------------------------------ what is told

# The manager tells of a certificate from its first order to its service.
{
    write_hook();
    set_mode('');
    $scene->config(domains => [['a.test', 'www.a.test']], text => $text)
        ->start;
    until_true(40, 'the events', sub { my @l = lines(); @l >= 7 });
    my @lines = lines();
    is_deeply [in_order(@lines)], \@order, 'every event of an order, once';
    is_deeply [map { (split / /)[0] } @lines], [map { (split / /)[0] } @order],
        'in the order in which they happen';
    my @events = events();
    is_deeply [map { "@{$_->{args}}[0, 1]" } @events],
        [('first two words') x @events], 'with the arguments of the directive';
    $scene->serves_ok('a.test');
    $scene->store_ok('after the first order');
}

# It runs as nobody, with nothing of ours: a clean environment, no open file,
# a session of its own, and no key or token among its words.
{
    my @events = events();
    for my $event (@events[0, 1, -1]) {
        is $event->{uid}, $nobody, "$event->{args}[2]: as nobody";
        is $event->{real}, $nobody, 'for good';
        is $event->{groups} =~ s/^(\d+).*/$1/r, getpwnam('nobody')
            ? (getpwnam 'nobody')[3] : 65534, 'of no group but its own';
        is $event->{stdin}, '/dev/null', 'without input';
        is_deeply $event->{fds}, [0, 1, 2], 'and no other open file';
        is $event->{leads}, 1, 'in a session of its own';
        is $event->{dir}, '/', 'at /';
    }
    my $env = $events[-1]{env};
    is_deeply [sort keys %$env], [sort qw(PATH HOME ACME_EVENT ACME_NAME
        ACME_NAMES ACME_KEY_TYPE ACME_CA ACME_CHALLENGE_TYPE ACME_IDENTIFIER
        ACME_ERROR_TYPE ACME_ERROR ACME_CERTIFICATE ACME_NOT_AFTER)],
        'a new environment';
    is_deeply [@$env{qw(ACME_EVENT ACME_NAME ACME_NAMES ACME_KEY_TYPE ACME_CA
                        ACME_ERROR ACME_CERTIFICATE)}],
        ['installed', 'a.test', 'a.test www.a.test', 'P-256', $ca->directory,
         '', $scene->file('a.test', 'fullchain.pem')], 'says the same';
    like $env->{ACME_NOT_AFTER}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
        'and until when it is valid';
    is $events[0]{env}{ACME_CERTIFICATE}, '', 'before the first one there is none';
    is_deeply [@{$events[1]{env}}{qw(ACME_CHALLENGE_TYPE ACME_IDENTIFIER)}],
        ['http-01', $events[1]{args}[4]], 'a challenge has type and name';
    my $all = ACME::Rig->read_file("$told/events");
    my ($thumbprint) = $all =~ /([A-Za-z0-9_-]{43})/;
    is $thumbprint, undef, 'no token, no key';
}

# Certificates that httpd serves after a restart are installed then; acmectl
# tells as the manager does.
{
    $httpd->set_manager(0);
    $scene->config(domains => [['a.test', 'www.a.test']], text => $text);
    $httpd->graceful;
    forget();
    $scene->config(domains => [['a.test', 'www.a.test'], ['b.test']],
                   text => $text);
    my $restarts = $httpd->restarts;
    $scene->ends(['issue', 'b.test'], 0, 'issue');
    is $httpd->restarts, $restarts + 1, 'httpd was restarted';
    told_ok(['renewing b.test', 'challenge-setup b.test b.test',
             'challenge-teardown b.test b.test', 'renewed b.test',
             'installed b.test'], 'all is told when acmectl returns');
}

# The CA is told of a challenge when the program has ended: not before would
# it be let through a firewall.
{
    set_mode('slow', 'challenge-setup');
    $rig->write_file($httpd->root . '/logs/error_log', '');
    $scene->ends(['renew', '--force', 'b.test'], 0, 'a slow set-up');
    my $end = ACME::Rig->read_file("$told/end");
    my ($h, $m, $s) = $httpd->error_log
        =~ /(\d\d):(\d\d):(\d\d\.\d+) \d+\].*ACME0202: answered/;
    my @end = localtime $end;
    my $after = ($h * 60 + $m) * 60 + $s
        - (($end[2] * 60 + $end[1]) * 60 + $end[0] + $end - int $end);
    $after += 86_400 if $after < -43_200;
    cmp_ok $after, '>=', 0, 'is waited for, then the CA looks';
    cmp_ok $after, '<', 10, 'at once';
    set_mode('');
}

# A dry run is a trial: only its challenges are real.
{
    forget();
    $scene->ends(['renew', '--dry-run', 'b.test'], 0, 'a dry run');
    told_ok(['challenge-setup b.test b.test',
             'challenge-teardown b.test b.test'], 'tells of challenges alone');
    forget();
    $scene->ends(['renew'], 0, 'nothing to do');
    told_ok([], 'tells nothing');
}

# ------------------------------------------------- a program that misbehaves

# One that fails changes nothing; the log has its status and last line.
{
    set_mode('fail');
    forget();
    my $r = $scene->ends(['renew', '--force', 'b.test'], 0, 'it fails');
    is scalar(my @l = lines()), 5, 'and is told all the same';
    my @said = $r->{err} =~ /^(.*acme:warn\].*)$/mg;
    is scalar @said, 5, 'one line of the log each time';
    like $said[0], qr{ACMENotify: renewing b\.test: \Q$hook\E ended with status 3: \\x1B\[31mlast words$},
        'with status and last line, escaped';
    unlike $r->{err}, qr/\e/, 'never raw';
}

# One that writes megabytes fills no log.
{
    set_mode('flood');
    my $r = $scene->ends(['--log-level', 'info', 'renew', '--force', 'b.test'], 0, 'a flood');
    my $count = () = $r->{err} =~ /x{99}/g;
    cmp_ok $count, '<=', 5 * 20, 'twenty lines of it are logged';
    like $r->{err}, qr/ACMENotify: renewed b\.test: 49980 more lines were dropped/,
        'and how many there were';
}

# One that hangs, ignores SIGTERM and has children that hold its output is
# killed with them; orders do not wait for it again.
{
    set_mode('hang', 'challenge-setup');
    forget();
    my $start = time;
    my @l;
    my $r = $scene->ends(['renew', '--force', 'b.test'], 0, 'it hangs');
    my $seconds = time - $start;
    cmp_ok $seconds, '>=', 10, 'it has its ten seconds';
    cmp_ok $seconds, '<', 25, 'an order goes on without it';
    like $r->{err}, qr/challenge-setup \S+: \Q$hook\E did not end in time and was killed/,
        'the log says so';
    like $r->{err}, qr/in this run no order waits for it any more/,
        'and what follows';
    is scalar(@l = lines()), 5, 'all events are told';
    my @pids = split ' ', ACME::Rig->read_file("$told/pids");
    ok until_true(2, 'their end', sub { gone(@pids) }), 'nothing is left of it';
    $scene->serves_ok('b.test');
}

# ------------------------------------------------------------------ errors

# A validation that fails: name, failing identifier and reason; not again
# when an administrator tries again by hand.
{
    set_mode('');
    $ca->resolver('add-a', { host => 'bad.test', addresses => ['127.9.9.9'] });
    $scene->config(domains => [['c.test', 'bad.test']], text => $text);
    $httpd->graceful;
    forget();
    $scene->ends(['issue', 'c.test'], 1, 'a validation fails');
    my ($event) = grep { $_->{args}[2] eq 'errored' } events();
    is_deeply [@{$event->{args}}[2 .. 4]], ['errored', 'c.test', 'bad.test'],
        'the failing identifier';
    like $event->{args}[5], qr/validation of bad\.test by http-01 failed/,
        'and the reason';
    is $event->{env}{ACME_ERROR}, $event->{args}[5], 'in the environment too';
    like $event->{env}{ACME_ERROR_TYPE}, qr/^urn:ietf:params:acme:error:\w+$/,
        'with the type';
    forget();
    $scene->ends(['issue', 'c.test'], 1, 'it fails again');
    is scalar(grep { /^errored/ } lines()), 0, 'which is no news';
}

# What a hostile CA says reaches the program as one argument, cut and
# escaped; and whom it blames, only if we know him.
{
    my $evil = ACME::Rig::EvilCA->new($rig, http => $httpd->http,
        answers => { newOrder => { status => 403, type => 'application/problem+json',
            object => { type => 'urn:x:`reboot`', detail => "\$(reboot) '\";\n\e[2J"
                . 'A' x 5000, identifier => { type => 'dns', value => 'evil.test' } } } })
        ->start;
    $scene->config(domains => [['d.test']], ca => [$evil->directory],
                   ca_file => $evil->ca_file, text => $text);
    $httpd->graceful;
    forget();
    $scene->ctl('issue', 'd.test');
    my ($event) = grep { $_->{args}[2] eq 'errored' } events();
    is_deeply [@{$event->{args}}[2 .. 4]], ['errored', 'd.test', '-'],
        'a stranger is not named';
    my $error = $event->{args}[5] // '';
    cmp_ok length $error, '<=', 1000, 'the error is cut';
    like $error, qr/\$\(reboot\)/, 'it is the CA\'s text';
    unlike $error, qr/[^\x20-\x7e]/, 'without control characters';
    is $event->{env}{ACME_ERROR_TYPE}, '', 'a type that is none is none';
    is scalar @{$event->{args}}, 6, 'it is one argument';
    $evil->stop;
}

# ------------------------------------------------- the manager's own matters

# A certificate that cannot be renewed while half of its window has passed is
# told of, once a day; a failing order once for each rung of the ladder.
{
    $ca->restart(profiles => { default => { description => 'short',
                                            validityPeriod => 12 } });
    $scene->config(domains => [['short.test']], text => $text);
    $httpd->graceful;
    $scene->ends(['issue', 'short.test'], 0, 'a certificate of 12 seconds');
    $ca->halt;
    forget();
    $httpd->set_manager(1);
    $scene->config(domains => [['short.test']], text => $text);
    $httpd->graceful;
    ok until_true(30, 'its failure', sub { grep { /^errored short/ } lines() }),
        'a failing renewal is told of';
    is scalar(grep { /^installed/ } lines()), 0, 'nothing is installed';
    until_true(20, 'its end', sub {
        $scene->ctl('certificates')->{out} =~ /expired/ });
    kill 'HUP', $httpd->manager;
    ok until_true(10, 'the warning', sub { grep { /^expiring short/ } lines() }),
        'that it expires is told of';
    my ($event) = grep { $_->{args}[2] eq 'expiring' } events();
    like $event->{args}[5] // '', qr/cannot reach the CA/, 'with the last error';
    kill 'HUP', $httpd->manager;
    ACME::Rig::wait_for(5, 'a look', sub {
        $scene->ctl('--json', 'status')->{json}{manager}{running} });
    is scalar(grep { /^(?:expiring|errored)/ } lines()), 2, 'each of them once';
    $ca->start;
}

# Killed, the manager takes the program and its children along.
{
    $ca->restart(profiles => { default => { description => 'long',
                                            validityPeriod => 9_000_000 } });
    set_mode('hang', 'renewing');
    unlink "$told/pids";
    $scene->config(domains => [['k.test']], text => $text);
    kill 'USR1', $httpd->pid;
    ok until_true(20, 'the program', sub { -e "$told/pids" }), 'it runs';
    my @pids = split ' ', ACME::Rig->read_file("$told/pids");
    set_mode('');
    kill 'KILL', $httpd->manager;
    ok until_true(3, 'their end', sub { gone(@pids) }),
        'a killed manager leaves no program behind' or kill 'KILL', @pids;
    until_true(30, 'the next manager', sub { $scene->served('k.test')->{status} });
    $scene->serves_ok('k.test', 'the next one goes on');
}

# A program that is gone after the start is a line of the log.
{
    set_mode('wait', 'renewing');
    $scene->config(domains => [['v.test']], text => $text);
    $httpd->graceful;
    ok until_true(20, 'the program', sub { -e "$told/ready" }), 'it runs';
    unlink $hook;
    until_true(30, 'the certificate', sub { $scene->served('v.test')->{status} });
    $scene->serves_ok('v.test', 'without its program all goes on');
    log_like(qr/challenge-setup v\.test: \Q$hook\E ended with status 127: it cannot be run: No such file/,
        'the log says what is missing');
    is $httpd->configtest->{status}, 1, 'httpd -t does, too';
}

is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
