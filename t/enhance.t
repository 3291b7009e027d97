#!/usr/bin/perl

# acmectl enhance, validate: one change of a site that speaks https, and the
# question whether what was asked for is really served.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::OldSite;

my $scene = ACME::OldSite->new(settings => 1, hosts => <<'END')->start;
<VirtualHost *:%HTTP%>
    ServerName a.test
</VirtualHost>
<VirtualHost *:%HTTP%>
    ServerName b.test
</VirtualHost>
END
my $httpd = $scene->httpd;

sub notes { return join "\n", @{$_[0]{json}{notes} // []} }

sub header
{
    my ($name, $header) = @_;

    return $httpd->get_tls($name, '/')->{headers}{$header};
}

# What cannot be understood is refused, before anything is looked at.
$scene->refuses(@$_, "acmectl @{$_->[0]}") for
    [['enhance'], 2, qr/enhance takes a name, one of/],
    [['enhance', 'a.test'], 2, qr/enhance takes a name/],
    [['enhance', 'a.test', 'hsts'], 2, qr/enhance takes a name/],
    [['enhance', 'a.test', 'hsts', 'maybe'], 2, qr/on or off/],
    [['enhance', 'a.test', 'speed', 'on'], 2, qr/redirect, hsts/],
    [['enhance', 'a.test', 'hsts', 'on', 'off'], 2, qr/enhance takes/],
    [['enhance', 'a b', 'hsts', 'on'], 2, qr/name/],
    [['validate', 'a b'], 2, qr/name/];

# Before there is a TLS host there is nothing to be enhanced or validated.
$scene->refuses(['enhance', 'a.test', 'hsts', 'on'], 1, qr/a\.test/,
                'no TLS host');
{
    my $r = $scene->ends(['validate'], 0, 'nothing is managed');
    is_deeply $r->{json}{checks}, [], 'no check';
    like notes($r), qr/nothing to validate/, 'a note';
    $r = $scene->ends(['validate', 'a.test'], 6, 'a name without TLS');
    is $r->{json}{checks}[0]{check}, 'host', 'no host has it';
}

$scene->ends(['secure', 'a.test'], 0, 'a secured site');
my $secured = $scene->tree;

# Each is one checkpoint and one restart, is there afterwards, is nothing to
# be done again, and goes when it is turned off.
for my $case (
    ['redirect', sub { ($httpd->get('a.test', '/x')->{headers}{location}
                        // '') eq 'https://a.test/x' }],
    ['hsts', sub { defined header('a.test', 'strict-transport-security') }],
    ['ocsp-stapling', sub { $scene->text =~ /^\s*SSLUseStapling on$/m }],
) {
    my ($what, $is_on) = @$case;
    my $restarts = $httpd->restarts;
    my $before = $scene->tree;

    ok !$is_on->(), "$what is off";
    my $r = $scene->ends(['enhance', 'a.test', $what, 'on', '--plan'], 0,
                         "a plan of $what");
    like $r->{json}{diff}, qr/^\+/m, '... has a diff';
    is_deeply $scene->tree, $before, '... and changes nothing';
    $r = $scene->ends(['enhance', 'a.test', $what, 'on'], 0, "$what on");
    ok $r->{json}{checkpoint}, '... is a checkpoint';
    is $httpd->restarts, $restarts + 1, '... and one restart';
    ok $is_on->(), '... and it is on';
    my $on = $scene->tree;
    $r = $scene->ends(['enhance', 'a.test', $what, 'on'], 0, 'again');
    like notes($r), qr/nothing to do/, '... is nothing to do';
    is $httpd->restarts, $restarts + 1, '... without a restart';
    is_deeply $scene->tree, $on, '... or a change';
    $r = $scene->ends(['enhance', 'a.test', $what, 'off'], 0, "$what off");
    ok !$is_on->(), '... is off';
    if ($what eq 'ocsp-stapling') {
        # mod_ssl does not survive that its cache is taken away.
        $r = $scene->ends(['rollback', '2'], 4, 'rollback of both');
        like $r->{json}{error}{detail}, qr/as before.*stop httpd and start/,
            '... says what to do';
        ok $httpd->is_running, '... and httpd runs on';
        # Nor does it survive what comes next.
        for my $args (['enhance', 'b.test', 'hsts', 'on'],
                      ['secure', 'b.test'], ['enhance', 'a.test', 'hsts', 'on'])
        {
            $r = $scene->ends($args, 4, "@$args after it");
            like $r->{json}{error}{detail}, qr/stop httpd and start/,
                '... says so';
            ok !$r->{json}{notes}, '... once';
        }
        ok $httpd->is_running, '... and httpd runs on';
        $httpd->stop;
        $scene->start;
        $scene->ends(['enhance', 'a.test', 'hsts', 'on'], 0,
                     'a change after its start');
        ok $httpd->is_running, '... and httpd runs on';
        $scene->ends(['rollback'], 0, '... and its rollback');
    }
    else {
        $scene->ends(['rollback', '2'], 0, 'rollback of both');
    }
    is_deeply $scene->tree, $before, '... leaves no trace';
}
is_deeply $scene->tree, $secured, 'the secured site is as it was';

# Killed between the restart that made the cache and the checkpoint: who
# undoes it does not end httpd by a restart that takes the cache away.
SKIP: {
    my $strace = ACME::Rig::program('strace');
    my @verb = ('enhance', 'a.test', 'ocsp-stapling', 'on');
    my $trace = $scene->rig->path('trace');
    my (%count, @points, $told);

    skip 'needs strace', 1 if !$strace
        || $scene->rig->run([$strace, '-qq', '-o', '/dev/null', 'true'])
            ->{status};
    my $run = sub {
        return $scene->rig->run([$strace, '-qq', '-o', @_,
            ACME::Rig::acmectl_path(), '--httpd', $httpd->binary, '-d',
            $httpd->root, '-f', $httpd->config, @verb], env => $httpd->env);
    };
    my $r = $run->($trace, '-e', 'trace=kill,fsync');
    is $r->{status}, 0, 'a run that nobody kills' or diag $r->{err};
    for (split /\n/, $scene->rig->read_file($trace)) {
        $count{$1}++ if /^(kill|fsync)\(/;
        push @points, $count{fsync} if $told && /^fsync\(/;
        $told ||= /SIGUSR1/;
    }
    cmp_ok scalar(@points), '>', 1, 'it syncs something behind the restart';
    $scene->ends(['rollback'], 4, 'it is undone');
    $httpd->stop;
    $scene->start;
    for my $n (@points[0, -1]) {
        $r = $run->('/dev/null', '-e', 'trace=fsync', '-e',
                    "inject=fsync:signal=KILL:when=$n");
        is $r->{status}, 137, "killed at sync $n";
        $scene->ends(['recover'], 4, '... recovery does not restart httpd')
            if $n == $points[0];
        $scene->ends(['rollback'], 4, '... nor does a rollback')
            if $n != $points[0];
        ok $httpd->is_running, '... so that it runs on';
        $httpd->stop;
        $scene->start;
        is_deeply $scene->tree, $secured, '... and all is as it was';
    }
}

# A site that speaks only https can be enhanced, but not redirected to.
{
    my $text = $scene->text;

    $scene->write($text . <<'END');
ACMEDomain only.test
<VirtualHost *:%HTTPS%>
    ServerName only.test
    SSLEngine on
</VirtualHost>
END
    $httpd->graceful;
    $scene->ends(['issue', 'only.test'], 0, 'a site with TLS alone');
    $scene->ends(['enhance', 'only.test', 'hsts', 'on'], 0, 'hsts');
    ok header('only.test', 'strict-transport-security'), '... is on';
    ok !header('a.test', 'strict-transport-security'), '... there alone';
    $scene->refuses(['enhance', 'only.test', 'redirect', 'on'], 1,
                    qr/only\.test/, 'redirect');
    $scene->ends(['rollback'], 0, 'rollback');
    $scene->write($text);
    $httpd->graceful;
}

# What is promised and not served is found: exit 6, and nothing is undone,
# for nothing was done.
{
    my $text = $scene->text;

    $scene->ends(['validate', 'a.test'], 0, 'all is well');
    $httpd->get_tls('a.test', '/');
    $scene->rig->write_file($scene->site, $text =~ s{^(\s*)SSLEngine on$}
        {$1SSLEngine on\n$1Redirect gone /}mr, 0644);
    $httpd->graceful;
    my $r = $scene->ends(['validate', 'a.test'], 6, 'https answers otherwise');
    like $r->{json}{error}{detail}, qr/a\.test does not pass the check "http"/,
        'says which check';
    $scene->rig->write_file($scene->site, $text, 0644);
    $httpd->graceful;
    $scene->ends(['validate', 'a.test'], 0, 'all is well again');
    $httpd->stop;
    $scene->ends(['validate', 'a.test'], 1, 'a stopped server');
    $scene->start;
}

is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
