#!/usr/bin/perl

# acmectl's log: where it goes, what its lines look like, what happens when
# it is rotated; and that no key, token, key authorization or signed request
# is in it, whatever the verb and at any level.

use strict;
use warnings;

use File::Find ();
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(decode_base64 encode_base64url);
use Test::More;

use ACME::Scene;

my $scene = ACME::Scene->new;
my ($rig, $httpd, $ca) = ($scene->rig, $scene->httpd, $scene->ca);
my $requests = $rig->path('requests.log');
$scene->config(domains => [['a.test', 'www.a.test'], ['b.test'], ['c.test']],
               text => "ACMEChallenges http-01\n"
                       . "CustomLog $requests \"%r\"\n")->start;

sub log_is { my ($name) = @_; return $rig->path("$name.log") }

sub verb
{
    my ($log, @args) = @_;

    return $scene->ctl('--log', $log, '--log-level', 'trace8', @args);
}

# ---------------------------------------------------------------- secrets

# Every private key in the store, as it could be written: lines of PEM, and
# the number of an elliptic curve in hexadecimal and base64url.
sub keys_of
{
    my ($store) = @_;
    my @found;

    File::Find::find({ no_chdir => 1, wanted => sub {
        my $text = -f $_ ? $rig->read_file($_) : '';
        while ($text =~ /-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.*?)-----END/sg) {
            my $body = $1;
            my $der = decode_base64($body);
            push @found, grep { length >= 20 } split /\n/, $body;
            # Source: RFC 5915 3; the number of P-256 behind its length.
            push @found, unpack('H*', $1), encode_base64url($1)
                if $der =~ /\x02\x01\x01\x04\x20(.{32})/s;
        }
    } }, $store);
    return @found;
}

# The tokens that the CA asked for.
sub tokens
{
    my $text = $rig->read_file($requests) // '';
    my %seen = map { $_ => 1 }
        $text =~ m{/\.well-known/acme-challenge/([\w-]+)}g;

    return sort keys %seen;
}

my %never;       # kept, because keys are replaced

sub remember
{
    $never{$_} = 1 for keys_of($scene->store), tokens();
    return;
}

# What of a text must not be there.
sub found_in
{
    my ($text) = @_;

    return grep { index($text, $_) >= 0 } sort(keys %never),
        'PRIVATE KEY', '"signature"', '"payload"', '"protected"';
}

sub is_clean
{
    my ($text, $what) = @_;

    is_deeply [found_in($text)], [], "$what: no secret";
    return;
}

# ------------------------------------------------------------------- verbs

# Each verb, at the most talkative level, into a file.
my @verbs = (
    [qw(account register)], [qw(issue a.test)], [qw(status)],
    [qw(certificates)], [qw(account show)], [qw(config)],
    [qw(renew --force b.test)], [qw(renew --dry-run c.test)],
    [qw(issue --force a.test)], [qw(checkpoints)], [qw(recover)],
    [qw(rollback)], [qw(revoke b.test)], [qw(issue nobody.test)],
    [qw(revoke --cert /nonexistent)],
);
my $log = log_is('verbs');
my $shown = '';

for my $verb (@verbs) {
    for my $json ([], ['--json']) {
        my $r = verb("file:$log", @$json, @$verb);
        # What the user asked to see is no log, but no place for keys either.
        $shown .= $r->{out} . $r->{err};
        remember();
    }
}

my $text = $rig->read_file($log);
cmp_ok scalar(my @tokens = tokens()), '>=', 4, 'the CA has asked for tokens';
cmp_ok scalar(keys %never), '>=', 20, 'and there are keys';
is_clean($text, 'the log of all verbs');
is_clean($shown, 'what all verbs show');
like $text, qr/\[acme:info\] \[pid \d+\] a\.test: /, 'steps are in it';
like $text, qr/\[acme:error\] \[pid \d+\] acmectl issue: .*nobody\.test/,
    'failures are in it';
is scalar(grep { !/^\[\w{3}\ \w{3}\ \d\d\ \d\d:\d\d:\d\d\.\d{6}\ \d{4}\]
                    \ \[acme:\w+\]\ \[pid\ \d+\]\ \S/x }
          split /\n/, $text), 0, 'every line is one of httpd\'s error log';

# The search above would find them.
my ($key) = keys_of($scene->store);
is scalar(my @found = found_in("x $key y")), 1, 'a key would be found';
is scalar(@found = found_in("see $tokens[0].x")), 1, 'and a token';
is scalar(@found = found_in('{"protected": "e30"}')), 1, 'and a signed request';

# On standard error as well.
my $r = verb('stderr', qw(issue --force c.test));
remember();
is $r->{status}, 0, 'on standard error';
like $r->{err}, qr/\[acme:info\].*c\.test: /, 'steps are on it';
is_clean($r->{err}, 'standard error');

# ------------------------------------------------------------------- file

is((stat $log)[2] & 07777, 0640, 'a log is as readable as httpd\'s');
symlink $rig->path('elsewhere'), $rig->path('link.log');
$r = $scene->ctl('--log', 'file:' . log_is('link'), 'certificates');
is $r->{status}, 1, 'a link is no log';
like $r->{err}, qr/link\.log is a symbolic link; name the file it points at/,
    'and it is said';
ok !-e $rig->path('elsewhere'), 'nothing was made behind it';

# ---------------------------------------------------------------- journald

# Where the journal reads standard error, its priorities stand before lines.
sub journaled
{
    my ($stream) = @_;

    return $rig->run(['/bin/sh', '-c', "JOURNAL_STREAM=$stream exec \"\$@\"",
        'sh', ACME::Rig::acmectl_path(), '--httpd', $httpd->binary, '-d',
        $httpd->root, '-f', $httpd->config, '--log-level', 'info', 'renew',
        '--force', 'c.test'], env => $httpd->env);
}

$r = journaled('$(stat -L -c %d:%i /dev/fd/2)');
is $r->{status}, 0, 'under the journal';
like $r->{err}, qr/^<6>\[acme:info\] \[pid \d+\] c\.test: /m,
    'lines with priorities';
unlike $r->{err}, qr/^\[\w{3} \w{3} /m, 'none with the time';
$r = journaled('$(stat -L -c %d:%i /dev/null)');
like $r->{err}, qr/^\[\w{3} \w{3} .* \[acme:info\]/m,
    'another stream is not the journal';
unlike $r->{err}, qr/^</m, 'nor gets it priorities';

# ---------------------------------------------------------------- rotation

# The manager opens its log again on the signals that make httpd do it.
my $served = log_is('serve');
my $pid = $rig->spawn([ACME::Rig::acmectl_path(), '--httpd', $httpd->binary,
    '-d', $httpd->root, '-f', $httpd->config, '--log', "file:$served",
    '--log-level', 'trace8', 'serve'], env => $httpd->env);
my $begun = sub { ($rig->read_file($served) // '') =~ /the manager begins/ };

ACME::Rig::wait_for(20, 'the manager', $begun);
for my $signal (qw(HUP USR1)) {
    rename $served, "$served.$signal";
    kill $signal, $pid;
    # It is made for its owner alone, then opened for the group.
    ACME::Rig::wait_for(20, "a new log after SIG$signal",
                        sub { -e $served && ((stat _)[2] & 07777) == 0640 });
    ok $rig->alive($pid), "SIG$signal: the manager goes on";
}
# With no room for a new one it stays with the old.
rename $served, "$served.kept";
mkdir $served;
kill 'HUP', $pid;
ACME::Rig::wait_for(20, 'a complaint', sub {
    ($rig->read_file("$served.kept") // '')
        =~ /\[acme:warn\].*cannot open the log.*the log goes where it went/;
});
pass 'a log that cannot be opened again is kept';
kill 'TERM', $pid;
ACME::Rig::wait_for(20, 'the end of the manager', sub { !$rig->alive($pid) });
like $rig->read_file("$served.kept"), qr/the manager ends/, 'to the end';
remember();
is_clean($rig->read_file("$served.$_"), "the manager's log ($_)")
    for qw(HUP USR1 kept);

# httpd tells which token it answered, as its access log does with the URL;
# never the answer, nor a key.
my $errors = $httpd->error_log;
is_deeply [grep { index($errors, "$_.") >= 0 } tokens()], [],
    "httpd's error log: no key authorization";
$errors =~ s/with token [\w-]+$//mg;
is_clean($errors, "httpd's error log");
is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
