#!/usr/bin/perl

# acmectl issue: certificates for named domains, kept in the store and
# served by httpd, which is not even restarted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Scene;

my $scene = ACME::Scene->new;
my ($rig, $httpd, $ca) = ($scene->rig, $scene->httpd, $scene->ca);
my $IDN = 'xn--bcher-kva.test';

my @domains = (['a.test', 'www.a.test'], ['b.test'], ['c.test'], ['d.test'],
               [$IDN]);
my $both = <<'END' . $scene->host('both.test');
<ACMEDomain both.test>
    ACMEPrivateKeys P-256 RSA-2048
</ACMEDomain>
END
$scene->config(domains => \@domains, text => $both)->start;

# Before the first certificate exists, a host serves a stand-in that nobody
# trusts, and httpd runs.
{
    my $answer = $httpd->get_tls('a.test', '/');
    is $answer->{status}, 503, 'not yet';
    like $answer->{cert}{subject}, qr/stand-in/, 'with a stand-in';
    is $scene->served('a.test')->{status}, 0, 'nobody trusts it';
}

# One name: the certificate is issued, kept, and served by the httpd that
# runs, without a restart. A fresh store costs the directory, one nonce and
# the account besides.
{
    my $restarts = $httpd->restarts;
    my $r = $scene->ends(['issue', 'b.test'], 0, 'issue one name');
    my $result = ACME::Scene::result_of($r, 'b.test');

    is $result->{result}, 'issued', 'it was issued';
    is $result->{key_type}, 'P-256', 'for a key of the default type';
    is $result->{error}, undef, 'without an error';
    ok $r->{json}{changed}, 'something changed';
    is $httpd->restarts, $restarts, 'no restart';
    is_deeply $scene->serves_ok('b.test')->{names}, ['b.test'],
        'the certificate is for it';
    is $scene->served('a.test')->{status}, 0,
        'the other host still has its stand-in';
    $scene->store_ok('after the first certificate');
}

# The store as support/store/LAYOUT draws it.
{
    my $store = $scene->store;
    is $rig->read_file("$store/format"), "acme-store 1\n", 'the format';
    is readlink "$store/domains/b.test/current", '00000001',
        'current is the first generation';
    is_deeply [map { m{([^/]+)$} } glob "$store/domains/b.test/current/*"],
        [qw(cert.pem chain.pem fullchain.pem key.pem meta.json)],
        'the files of a generation';
    is $rig->read_file($scene->file('b.test', 'fullchain.pem')),
        $rig->read_file($scene->file('b.test', 'cert.pem'))
        . $rig->read_file($scene->file('b.test', 'chain.pem')),
        'fullchain is cert and chain';
    my ($account) = glob "$store/accounts/*";
    ok -s "$account/$_", "the account's $_"
        for qw(account.json key.pem directory.json);
    isnt $rig->openssl('pkey', '-in', "$account/key.pem", '-pubout'),
        $rig->openssl('pkey', '-in', $scene->file('b.test', 'key.pem'),
                      '-pubout'), 'the account has a key of its own';
}

# With an account and a cached directory, a certificate for one name costs
# at most eight requests, and the CA counts as many as acmectl tells.
{
    my $r;
    my $count = $scene->requests_of(sub {
        $r = $scene->ends(['issue', 'c.test'], 0, 'issue the next');
    });
    my $told = ACME::Scene::result_of($r, 'c.test')->{requests};

    cmp_ok $told, '<=', 8, "in $told requests";
    is $count, $told, 'the CA saw just as many';
    $scene->serves_ok('c.test');
}

# A valid certificate is not ordered again, and nobody is disturbed.
{
    my ($r, $restarts) = (undef, $httpd->restarts);
    my $count = $scene->requests_of(sub {
        $r = $scene->ends(['issue', 'b.test', 'c.test'], 0, 'issue again');
    });

    is ACME::Scene::result_of($r, 'b.test')->{result}, 'skipped', 'skipped';
    ok !$r->{json}{changed}, 'nothing changed';
    is $count, 0, 'the CA was not asked';
    is $httpd->restarts, $restarts, 'httpd was not restarted';
    is $scene->generation('b.test'), 1, 'the certificate is the old one';
}

# --force orders it again; the old generation stays beside the new one.
{
    my $old = $rig->read_file($scene->file('b.test', 'key.pem'));
    my $serial = $scene->serves_ok('b.test')->{serial};
    my $r = $scene->ends(['issue', '--force', 'b.test'], 0, 'issue --force');

    is ACME::Scene::result_of($r, 'b.test')->{result}, 'issued', 'issued';
    is $scene->generation('b.test'), 2, 'a second generation';
    ok -s $scene->store . '/domains/b.test/00000001/key.pem',
        'the first is still there';
    isnt $rig->read_file($scene->file('b.test', 'key.pem')), $old,
        'with a key of its own';
    isnt $scene->serves_ok('b.test')->{serial}, $serial, 'and served';
}

# Any name of a domain selects the whole domain, once, in any spelling.
{
    my $r = $scene->ends(['issue', 'WWW.a.test', 'a.test', 'd.test'], 0,
                         'two names of one domain, and another domain');

    is_deeply [map { $_->{name} } @{$r->{json}{results}}],
        ['a.test', 'd.test'], 'two certificates';
    is_deeply $scene->serves_ok('www.a.test')->{names},
        ['a.test', 'www.a.test'], 'one for both names';
    $scene->serves_ok($_) for qw(a.test d.test);
    is $scene->served('a.test')->{cert}{serial},
        $scene->served('www.a.test')->{cert}{serial}, 'the same for both';
}

# Two key types are two certificates side by side: who knows only RSA gets
# RSA.
{
    my $r = $scene->ends(['issue', 'both.test'], 0, 'two key types');

    is ACME::Scene::result_of($r, 'both.test', $_)->{result}, 'issued',
        "$_ was issued" for 'P-256', 'RSA-2048';
    my $ec = $scene->serves_ok('both.test', 'a client for ECDSA', key => 'ec');
    my $rsa = $scene->serves_ok('both.test', 'a client for RSA', key => 'rsa');
    isnt $ec->{serial}, $rsa->{serial}, 'two certificates';
    ok -s $scene->file('both.test', 'key.pem'), 'the first type at its name';
    ok -s $scene->file('both.test~rsa-2048', 'key.pem'),
        'the second at its type';
    like $rig->openssl('pkey', '-in',
        $scene->file('both.test~rsa-2048', 'key.pem'), '-noout', '-text'),
        qr/2048 bit/, 'a key of 2048 bits';
}

# An international name is written as its A-label.
{
    $scene->ends(['issue', $IDN], 0, 'an A-label');
    is_deeply $scene->serves_ok($IDN)->{names}, [$IDN], 'is in it';
    $scene->refuses(['issue', "b\xc3\xbccher.test"], 2, qr/A-label|xn--/,
                    'a U-label is refused with what to write');
}

# --csr: for a key that is kept elsewhere. The certificate is kept without a
# key, apart from what httpd serves, and httpd is left alone.
{
    my $csr = $rig->path('own.csr');
    my ($restarts, $old) = ($httpd->restarts, $scene->generation('a.test'));
    my $make = sub {
        my ($names, @key) = @_;
        $rig->openssl('req', '-new', '-nodes', '-subj', '/', '-out', $csr,
            '-addext', "subjectAltName=$names",
            @key ? @key : ('-newkey', 'rsa:2048', '-keyout',
                           $rig->path('own.key')));
    };

    $make->('DNS:a.test,DNS:www.a.test');
    my $r = $scene->ends(['issue', '--csr', $csr], 0, 'issue --csr');
    is ACME::Scene::result_of($r, 'a.test')->{result}, 'issued', 'issued';
    like $r->{json}{notes}[0] // '', qr{domains/a\.test~csr/current/fullchain},
        'the note says where it is';
    my $cert = $scene->file('a.test~csr', 'cert.pem');
    is $rig->openssl('x509', '-in', $cert, '-noout', '-pubkey'),
        $rig->openssl('pkey', '-in', $rig->path('own.key'), '-pubout'),
        'for the key of the CSR';
    ok !-e $scene->file('a.test~csr', 'key.pem'), 'no key is kept';
    is $scene->generation('a.test'), $old, 'the served one is untouched';
    is $httpd->restarts, $restarts, 'no restart';

    $make->('DNS:a.test,DNS:stranger.test');
    $scene->refuses(['issue', '--csr', $csr], 2,
        qr/stranger\.test, which is not one of the names/,
        'a CSR with a name of nobody');
    $rig->openssl('req', '-new', '-subj', '/', '-key',
                  $rig->path('own.key'), '-out', $csr);
    $scene->refuses(['issue', '--csr', $csr], 2, qr/names nobody|subjectAlt/,
                    'a CSR without names');
    $rig->write_file($csr, "no request\n");
    $scene->refuses(['issue', '--csr', $csr], 2, qr/CSR/, 'no CSR at all');
    $scene->refuses(['issue', '--csr', $rig->path('missing')], 2,
                    qr/missing/, 'a file that is not there');
    $scene->refuses(['issue', '--csr', $csr, 'a.test'], 2,
                    qr/names come from the CSR/, 'a CSR and a name');
    # RFC 8555 11.1: an account's key certifies no name.
    my ($account) = glob $scene->store . '/accounts/*/key.pem';
    $make->('DNS:a.test', '-key', $account);
    my $orders = sub {
        return scalar(my @found = grep { $_->[1] eq '/order-plz' }
                      $scene->ca->requests);
    };
    my $before = $orders->();
    $scene->refuses(['issue', '--csr', $csr], 1, qr/account's key/,
                    'a CSR with the key of the account');
    is $orders->(), $before, 'no order was made for it';
    $make->('DNS:a.test,DNS:www.a.test');
    $scene->ends(['issue', '--csr', $csr], 0, 'and a good one again');
    $scene->store_ok('after CSRs');
}

# What people read: a line for each name, and nothing on stderr.
{
    my $r = $scene->ctl('issue', '--force', 'c.test', 'd.test');
    is $r->{status}, 0, 'as text';
    like $r->{out}, qr/\Ac\.test:\ issued\ \(\d+\ requests,\ [\d.]+\ s\)\n
                       d\.test:\ issued\ \(\d+\ requests,\ [\d.]+\ s\)\n\z/x,
        'a line for each';
    unlike "$r->{out}$r->{err}", qr/\e/, 'no colours into a pipe';
    $r = $scene->ctl('issue', 'c.test');
    is $r->{out}, "c.test: skipped (the certificate at hand is valid and "
        . "not due)\n", 'and why nothing was done';
    $r = $scene->ctl('--color', 'always', 'issue', '--force', 'c.test');
    like $r->{out}, qr/\e\[32missued\e\[0m/, 'colours on demand';
    $r = $scene->ctl('--quiet', 'issue', '--force', 'c.test');
    is $r->{err}, '', '--quiet: nothing on stderr';
}

# --exit-changed tells a script whether it changed something.
{
    is $scene->ctl('--json', '--exit-changed', 'issue', '--force',
                   'd.test')->{status}, 10, '10: something changed';
    is $scene->ctl('--json', '--exit-changed', 'issue', 'd.test')->{status},
        0, '0: nothing did';
}

# --log file:PATH: steps and failures in httpd's log format, in a file that
# strangers cannot read (t/log.t looks at all of it).
{
    my $log = $rig->path('acmectl.log');
    my $r = $scene->ctl('--log', "file:$log", '--log-level', 'trace1',
                        'issue', '--force', 'd.test');
    my $text = $rig->read_file($log) // '';

    is $r->{status}, 0, '--log file';
    like $text,
        qr/^\[\w{3} \w{3} [^\]]+\] \[acme:info\] \[pid \d+\] d\.test: /m,
        'the steps, as httpd writes its log';
    is((stat $log)[2] & 0777, 0640, 'no stranger reads it');
    unlike $text, qr/PRIVATE KEY|"signature"|"payload"/,
        'no secret is in it';
    $scene->ctl('--log', "file:$log", 'issue', 'nobody.test');
    like $rig->read_file($log), qr/\[acme:error\].*nobody\.test is not a/,
        'failures too';
    $r = $scene->ctl('--log', 'file:' . $rig->path('no/such/dir'), 'issue',
                     'd.test');
    is $r->{status}, 1, 'a log that cannot be opened';
    like $r->{err}, qr{\Aacmectl: cannot open the log .*no/such/dir.*\n\z},
        'is said, once';
}

# Every virtual host of a name gets the certificate's renewal time and files
# into the list of certificates.
{
    my $r = $scene->ends(['certificates'], 0, 'certificates');
    my %by_name = map { $_->{name} => $_ } @{$r->{json}{certificates}};
    my $b = $by_name{'b.test'};

    is $b->{state}, 'valid', 'state';
    is $b->{serial}, $scene->served('b.test')->{cert}{serial}, 'serial';
    is $b->{sha256}, $scene->served('b.test')->{cert}{sha256}, 'sha256';
    like $b->{not_after}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'not_after';
    cmp_ok $b->{renew_at}, 'lt', $b->{not_after}, 'renew_at';
    is $b->{files}{cert}, $scene->file('b.test', 'fullchain.pem'), 'files';
    is $b->{used_by}[0]{file}, $httpd->config, 'used by a host';
    is $b->{ca}, $ca->directory, 'the CA';
    is_deeply [map { $_->{key_type} } grep { $_->{name} eq 'both.test' }
               @{$r->{json}{certificates}}], ['P-256', 'RSA-2048'],
        'both key types are listed';
}

# A CA that refuses half of all nonces.
{
    my $nonces = ACME::Scene->new(rig => $rig, name => '-nonces',
                                  pebble => { nonce_reject => 50 });
    $nonces->config(domains => [map { ["n$_.test"] } 1 .. 5])->start;
    my $r = $nonces->ends(['issue', map { "n$_.test" } 1 .. 5], 0,
                          'half of all nonces are refused');
    is_deeply [map { $_->{result} } @{$r->{json}{results}}],
        [('issued') x 5], 'all are issued';
    $nonces->serves_ok("n$_.test") for 1 .. 5;
    $nonces->httpd->stop;
    $nonces->ca->stop;
}

# A name that is new in the configuration, which httpd has not read yet: one
# graceful restart for the whole run.
{
    my $restarts = $httpd->restarts;

    $scene->config(domains => [['a.test', 'www.a.test'], ['late.test'],
                               ['later.test']]);
    my $r = $scene->ends(['issue', '--force', 'a.test', 'late.test',
                          'later.test'], 0, 'names that httpd has not read');
    is $httpd->restarts, $restarts + 1, 'one graceful restart';
    $scene->serves_ok($_) for qw(a.test late.test later.test);
    $scene->ends(['issue', '--force', 'late.test'], 0, 'again');
    is $httpd->restarts, $restarts + 1, 'which now knows them';
    is $scene->serves_ok('late.test')->{sha256},
        $scene->served('late.test')->{cert}{sha256}, 'and serves the new one';
}

# Twenty domains at once: no restart, and not twenty times the time of one.
{
    my @many = map { sprintf 'm%02d.test', $_ } 1 .. 20;
    $scene->config(domains => [map { [$_] } @many]);
    $httpd->graceful;
    my $one = $scene->ends(['issue', $many[0]], 0, 'one of twenty');
    my $restarts = $httpd->restarts;
    my $r = $scene->ends(['issue', '--force', @many], 0, 'all twenty');

    is scalar(grep { $_->{result} eq 'issued' } @{$r->{json}{results}}), 20,
        'are issued';
    cmp_ok $r->{seconds}, '<', 10 * $one->{seconds}, sprintf
        'in parallel: %.2f s, one takes %.2f s', $r->{seconds},
        $one->{seconds};
    is $httpd->restarts, $restarts, 'without a restart';
    my %served = map { $_ => $scene->served($_) } @many;
    is scalar(grep { $_->{status} == 200 } values %served), 20,
        'and all are served';
    my %keys = map { $rig->openssl('x509', '-in',
        $scene->file($_, 'cert.pem'), '-noout', '-pubkey') => 1 } @many;
    is scalar(keys %keys), 20, 'each with its own key';
    $scene->store_ok('after twenty');
}

is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
