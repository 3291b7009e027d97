#!/usr/bin/perl

# acmectl secure, install: a site that speaks only http speaks https after
# one command, which shows before what it will do, proves afterwards that it
# works, and can be undone to the byte.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::IP;
use Test::More;

use ACME::OldSite;
use ACME::Rig;

my $hosts = <<'END';
# the sites
<VirtualHost *:%HTTP%>
    ServerName first.test
</VirtualHost>

<VirtualHost *:%HTTP%>
	ServerName a.test
	ServerAlias www.a.test old.a.test
	Redirect /old /new
</VirtualHost>
<VirtualHost *:%HTTP%>
    ServerName b.test
</VirtualHost>
END

my $scene = ACME::OldSite->new(hosts => $hosts)->start;
my ($rig, $httpd) = ($scene->rig, $scene->httpd);
my @options = $scene->options;
my $pristine = $scene->tree;

sub detail { return $_[0]{json}{error} ? $_[0]{json}{error}{detail} : '' }
sub notes { return join "\n", @{$_[0]{json}{notes} // []} }
sub failed_checks
{
    return map { "$_->{name} $_->{check}: $_->{detail}" }
        grep { defined $_->{ok} && !$_->{ok} } @{$_[0]{json}{checks} // []};
}

# What is wrong with the command line is said before anything is looked at.
$scene->refuses(@$_, "acmectl @{$_->[0]}") for
    [['secure', '--redirect', '--no-redirect', 'a.test'], 2, qr/one of/],
    [['secure', 'not a name'], 2, qr/name/],
    [['secure', '--contact', 'me', @options[0 .. 4], 'a.test'], 2,
     qr/mailto:ADDRESS or none/],
    [['secure', '--ca-certificate', '/nowhere', '--agree-tos', 'a.test'], 2,
     qr{--ca-certificate: cannot read /nowhere}],
    [['secure', '--vhost', 'b.test=/x:1', @options, 'a.test'], 2,
     qr/--vhost takes NAME=FILE:LINE with one of the names given/],
    [['install'], 2, qr/install takes the name of one certificate/],
    [['install', 'a.test', 'b.test'], 2, qr/name of one certificate/],
    [['install', 'a.test'], 1, qr/no certificate called a\.test/];

# Where nobody can be asked, what is missing is named.
$scene->refuses(['secure', @options], 2,
    qr/name the sites; those not yet secured: a\.test, b\.test, first\.test/,
    'no names');
$scene->refuses(['secure', 'a.test', @options[1 .. $#options]], 2,
    qr/--agree-tos/, 'no agreement');
$scene->refuses(['--store', $scene->rig->dir . '/elsewhere', 'secure',
                 'a.test', @options], 2,
    qr{--store is \S+/elsewhere, and httpd would serve from}, 'another store');
$scene->refuses(['secure', 'nobody.test', @options], 1, qr/nobody\.test/,
    'a name that no host has');
is_deeply $scene->tree, $pristine, 'nothing was touched';

# A plan shows what would be done and does nothing: neither a file nor a
# store nor a lock is made.
{
    my $store = $scene->kept;
    my $had = -d $scene->store;
    my $now = $scene->served_now;
    my $r = $scene->ends(['secure', '--plan', '--redirect', 'a.test',
                          'www.a.test', @options], 0, 'a plan');

    like $r->{json}{diff}, qr/^\+.*<VirtualHost \*:\d+>/m, 'has a diff';
    like $r->{json}{diff}, qr/^\+\tACMEDomain a\.test www\.a\.test$/m,
        'with the neighbours\' indentation';
    like $r->{json}{diff}, qr/^\+\tACMERequireHTTPS permanent$/m,
        'and the redirect';
    ok scalar @{$r->{json}{steps}}, 'steps';
    like $r->{json}{next}, qr/plan: nothing was changed.*without --plan/,
        'what it was';
    $r = $scene->ends(['secure', '--plan', 'a.test',
                       @options[1 .. $#options]], 0, 'without agreement');
    like $r->{json}{next}, qr/add --agree-tos/, '... what it takes';
    $r = $scene->ends(['secure', '--plan', '--redirect', 'a.test',
                       'www.a.test', @options], 0, 'and once more');
    like notes($r), qr/a\.test www\.a\.test would be ordered/, 'the order';
    ok scalar(grep { /old\.a\.test/ } @{$r->{json}{warnings}}),
        'a warning of the name that is left out';
    is $r->{json}{checkpoint}, undef, 'no checkpoint';
    ok !$r->{json}{changed}, 'nothing is changed';
    is_deeply $scene->tree, $pristine, 'no file is';
    is_deeply $scene->kept, $store, 'nor is the store';
    is -d $scene->store, $had, 'none was made';
    is_deeply $scene->served_now, $now, 'httpd was not restarted';
    is_deeply [glob "$ENV{TMPDIR}/acmectl-plan-*"], [], 'nothing is left'
        if $ENV{TMPDIR};
}

# One run: certificate, TLS host, redirect, one graceful restart, validated,
# one checkpoint.
{
    my $restarts = $httpd->restarts;
    my $pid = $httpd->pid;
    my $r = $scene->ends(['secure', '--redirect', 'a.test', 'www.a.test',
                          @options], 0, 'secure');

    is $r->{json}{checkpoint}, 1, 'the first checkpoint';
    ok $r->{json}{changed}, 'says that it changed';
    is ACME::Scene::result_of($r, 'a.test')->{result}, 'issued', 'issued';
    is_deeply $r->{json}{summary}, [
        'https://a.test and https://www.a.test are served, and http '
        . 'redirects there',
        "this is checkpoint $r->{json}{checkpoint}: \"acmectl rollback\" "
        . 'undoes it'], 'the summary';
    is_deeply [failed_checks($r)], [], 'all checks passed';
    ok scalar(grep { $_->{check} eq 'tls' && $_->{ok} }
              @{$r->{json}{checks}}), 'there were some';
    is $httpd->restarts, $restarts + 1, 'one graceful restart';
    is $httpd->pid, $pid, 'the same httpd';
    $scene->serves_ok($_) for 'a.test', 'www.a.test';
    my $answer = $httpd->get('a.test', '/x?y');
    is "$answer->{status} $answer->{headers}{location}",
        '308 https://a.test/x?y', 'http redirects';
    is $httpd->get('b.test', '/')->{status}, 200, 'not the others';
    is $httpd->get('first.test', '/')->{status}, 200, 'nor the default host';
    $scene->store_ok('secure');
}

# Who asks again finds nothing to do.
my $secured = $scene->tree;
{
    my $restarts = $httpd->restarts;
    my $r = $scene->ends(['secure', 'a.test', 'www.a.test', '--redirect'],
                         0, 'again');

    ok !$r->{json}{changed}, 'nothing changed';
    like notes($r), qr/nothing to do/, 'says so';
    is $httpd->restarts, $restarts, 'no restart';
    is_deeply $scene->tree, $secured, 'the files are as they were';
    is $r->{json}{checkpoint}, undef, 'no checkpoint';
    $r = $scene->ends(['secure', '--plan', 'a.test', 'www.a.test'], 0,
                      'a plan of it');
    ok !length($r->{json}{diff} // ''), 'is empty';
}

# What is undone is undone to the byte.
{
    my $r = $scene->ends(['rollback'], 0, 'rollback');

    is_deeply $scene->tree, $pristine, 'all files as before';
    is $httpd->get('a.test', '/x')->{status}, 404, 'no redirect';
    unlike $httpd->get_tls('a.test', '/')->{error} // 'none', qr/^none$/,
        'no TLS';
}

# The certificate is in the store: install needs no CA.
{
    $scene->{ca}->stop;
    my $r = $scene->ends(['install', 'a.test', '--no-redirect'], 0,
                         'install');
    is $r->{json}{checkpoint}, 1, 'a checkpoint';
    is_deeply [failed_checks($r)], [], 'all checks passed';
    my $answer = $httpd->get_tls('a.test', '/');
    is $answer->{status}, 200, 'it is served';
    $r = $scene->ends(['install', 'a.test', '--static-files'], 0,
                      'with its files');
    like $scene->text, qr{SSLCertificateFile \S*/domains/a\.test/current/fullchain\.pem},
        'SSLCertificateFile';
    is $httpd->get_tls('a.test', '/')->{status}, 200, 'it is served';
    $scene->ends(['rollback', '2'], 0, 'rollback');
    is_deeply $scene->tree, $pristine, 'all files as before';
    $scene->{ca}->start;
}

# Its files can be named the first time, too; only after they are there.
{
    my $restarts = $httpd->restarts;
    my $r = $scene->ends(['secure', '--static-files', '--plan', 'b.test',
                          @options], 0, 'a plan with files');

    like $r->{json}{diff}, qr{^\+.*SSLCertificateFile .*/b\.test/}m,
        'shows them';
    $r = $scene->ends(['secure', '--static-files', 'b.test', @options], 0,
                      'with files');
    like $scene->text, qr/ACMEDomain b\.test\n.*SSLCertificateFile /,
        'both are there';
    is $httpd->restarts, $restarts + 1, 'one restart';
    is_deeply [failed_checks($r)], [], 'all checks passed';
    $scene->serves_ok('b.test');
    $r = $scene->ends(['secure', '--static-files', 'b.test'], 0, 'again');
    like notes($r), qr/nothing to do/, 'nothing to do';
    $r = $scene->ends(['certificates'], 0, 'certificates');
    is scalar(@{$r->{json}{certificates}}), 1, 'it is renewed';
    $scene->ends(['rollback'], 0, 'rollback');
    is_deeply $scene->tree, $pristine, 'all files as before';
}

# A stopped server is not started; nobody could answer the CA.
{
    $httpd->stop;
    my $r = $scene->ends(['install', 'a.test'], 0, 'install');
    like notes($r), qr/httpd does not run: it was not started/, 'a note';
    ok !$httpd->is_running, 'it is not';
    $scene->ends(['rollback'], 0, 'rollback');
    $scene->refuses(['secure', 'first.test', @options], 1, qr/not running/,
                    'secure');
    is_deeply $scene->tree, $pristine, 'nothing was touched';
    $scene->start;
}

# Two sites in one run are two certificates, one restart, one checkpoint.
{
    my $restarts = $httpd->restarts;
    my $r = $scene->ends(['secure', 'a.test', 'b.test', 'www.a.test',
                          'old.a.test', @options], 0, 'two sites');

    is scalar(@{$r->{json}{results}}), 2, 'two certificates';
    is $httpd->restarts, $restarts + 1, 'one restart';
    $scene->serves_ok($_) for 'a.test', 'old.a.test', 'b.test';
    is $httpd->get('a.test', '/')->{status}, 200, 'not redirected, unasked';
    my $names = $scene->ends(['validate'], 0, 'validate')->{json}{checks};
    my %names = map { $_->{name} => 1 } @$names;
    is_deeply [sort keys %names],
        ['a.test', 'b.test', 'old.a.test', 'www.a.test'], 'asks all names';
    $scene->ends(['rollback'], 0, 'rollback');
    is_deeply $scene->tree, $pristine, 'all files as before';
}

# The same name on two addresses is one site with two hosts, and one
# certificate, also for a name that only one of them has.
SKIP: {
    my ($http, $https) = ($httpd->http, $httpd->https);
    my $text = $scene->text;

    skip 'no IPv6 here', 1 if !IO::Socket::IP->new(Listen => 1,
        LocalHost => '::1', LocalPort => $https);
    $scene->write("Listen [::1]:$http\nListen [::1]:$https\n" . <<'END');
<VirtualHost 127.0.0.1:%HTTP%>
    ServerName six.test
</VirtualHost>
<VirtualHost [::1]:%HTTP%>
    ServerName six.test
    ServerAlias www.six.test
</VirtualHost>
END
    $httpd->graceful;
    my $r = $scene->ends(['secure', 'six.test', 'www.six.test', '--redirect',
                          @options], 0, 'two addresses');
    is scalar(@{$r->{json}{results}}), 1, 'one certificate';
    is_deeply [failed_checks($r)], [], 'all checks passed';
    is(() = $scene->text =~ /SSLEngine on/g, 2, 'two TLS hosts');
    my $secured = $scene->tree;
    $r = $scene->ends(['secure', 'six.test', 'www.six.test', '--redirect'],
                      0, 'again');
    like notes($r), qr/nothing to do/, 'is nothing to do';
    is_deeply $scene->tree, $secured, 'and nothing was done';
    $scene->ends(['rollback'], 0, 'rollback');
    $scene->write($text);
    $httpd->graceful;
}

is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
