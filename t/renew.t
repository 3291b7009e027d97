#!/usr/bin/perl

# acmectl renew: what is due, when, at which CA, and what happens to httpd.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use JSON::PP ();

use ACME::Scene;

my $scene = ACME::Scene->new;
my ($rig, $httpd, $ca) = ($scene->rig, $scene->httpd, $scene->ca);

# A host and a domain with settings of its own.
sub domain
{
    my ($names, $settings, %opt) = @_;
    my @names = split / /, $names;

    return "<ACMEDomain $names>\n$settings\n</ACMEDomain>\n"
        . ($opt{no_host} ? '' : $scene->host(@names));
}

# Write httpd.conf again, and let the running httpd take it up.
sub configure
{
    $scene->config(@_);
    $httpd->is_running ? $httpd->graceful : $scene->start;
    return;
}

# { name => result } of a run, "P-256" alone or the first key type.
sub results
{
    my ($r) = @_;

    return { map { $_->{name} => $_->{result} } @{$r->{json}{results}} };
}

# The entry of a name in the list of certificates.
sub state_of
{
    my ($name, $verb) = @_;
    my $r = $scene->ctl('--json', $verb // 'certificates');
    my ($found) = grep { $_->{name} eq $name } @{$r->{json}{certificates}};

    return $found // {};
}

# A run that must do nothing at all.
sub idle
{
    my ($what, @args) = @_;
    my ($before, $restarts) = ($scene->kept, $httpd->restarts);
    my $r;

    subtest $what => sub {
        my $count = $scene->requests_of(sub {
            $r = $scene->ends(['renew', @args], 0, 'exit status 0');
        });
        is $count, 0, 'the CA was not asked';
        ok !$r->{json}{changed}, 'nothing changed';
        is_deeply $scene->kept, $before, 'not in the store';
        is $httpd->restarts, $restarts, 'httpd was not restarted';
    };
    return $r;
}

my $modes = domain('manual.test', 'ACMERenewMode manual')
    . domain('always.test', 'ACMERenewMode always', no_host => 1)
    . domain('nohost.test', 'ACMERenewMode auto', no_host => 1);

# Without names, renew gets what hosts use (auto) and what is wanted always;
# httpd serves all of them without a restart.
{
    configure(domains => [['a.test', 'www.a.test'], ['b.test'], ['c.test']],
              text => $modes);
    my $restarts = $httpd->restarts;
    my $r = $scene->ends(['renew'], 0, 'the first renew');

    is_deeply results($r), { map { $_ => 'issued' }
        qw(a.test b.test c.test always.test) },
        'gets everything but manual and unused domains';
    ok $r->{json}{changed}, 'something changed';
    is $httpd->restarts, $restarts, 'no restart';
    $scene->serves_ok($_) for qw(a.test www.a.test b.test c.test);
    $scene->store_ok('after the first renew');
}

# Nothing due: nothing happens.
{
    my $r = idle('a second renew does nothing');
    is_deeply results($r), { map { $_ => 'skipped' }
        qw(a.test b.test c.test always.test) }, 'and says so';
}

# A named domain is renewed whatever its mode; a stranger is an error.
{
    my $r = $scene->ends(['renew', 'manual.test', 'nohost.test'], 0,
                         'renew by name');
    is_deeply results($r), { 'manual.test' => 'issued',
                             'nohost.test' => 'issued' }, 'what is named';
    $scene->serves_ok('manual.test');
    idle('and is not due any more', 'manual.test');
    $scene->refuses(['renew', 'a.test', 'stranger.test'], 2,
        qr/stranger\.test is not a managed domain: add "ACMEDomain/,
        'an unknown name');
}

# A certificate that no host uses is renewed without a restart.
{
    my $restarts = $httpd->restarts;
    my $r = $scene->ends(['renew', '--force', 'always.test'], 0,
                         'renew what no host uses');
    is $scene->generation('always.test'), 2, 'a new generation';
    is $httpd->restarts, $restarts, 'no restart';
}

# --dry-run goes the whole way to the CA, and keeps nothing.
{
    my ($before, $now) = ($scene->kept, $scene->served_now);
    my $r;
    my $count = $scene->requests_of(sub {
        $r = $scene->ends(['renew', '--dry-run', 'a.test', 'b.test'], 0,
                          'renew --dry-run');
    });

    is_deeply results($r), { 'a.test' => 'issued', 'b.test' => 'issued' },
        'certificates were issued';
    cmp_ok $count, '>=', 2 * 6, 'by the CA';
    is_deeply $scene->kept, $before, 'none was kept';
    is_deeply $scene->served_now, $now, 'httpd was left alone';
    ok !$r->{json}{changed}, 'nothing changed';
    like $r->{json}{notes}[0] // '', qr/dry run/, 'a note says so';
    idle('nothing is due after it');
    $scene->store_ok('after a dry run');
}

# ACMERenewWindow: due when less than that is left of the lifetime.
{
    configure(domains => [['a.test', 'www.a.test'], ['c.test']],
              text => domain('b.test', 'ACMERenewWindow 99%'));
    is state_of('b.test')->{state}, 'valid', 'just issued: 99% is not over';
    my $meta = $scene->file('b.test', 'meta.json');
    my $json = JSON::PP->new->canonical;
    my $old = $json->decode($rig->read_file($meta));
    # As if it had been issued two days ago.
    my $aged = { %$old, not_before => '2026-01-01T00:00:00Z' };
    $rig->write_file($meta, $json->encode($aged), 0600);
    is state_of('b.test')->{state}, 'due', 'later it is due';
    my $r = $scene->ends(['renew'], 0, 'renew');
    is_deeply results($r), { 'a.test' => 'skipped', 'b.test' => 'issued',
                             'c.test' => 'skipped' }, 'gets what is due';
    is $scene->generation('b.test'), 2, 'a new generation';

    configure(text => domain('b.test', 'ACMERenewWindow 400d'));
    my $b = state_of('b.test');
    is $b->{state}, 'valid', 'a window longer than the lifetime';
    cmp_ok $b->{renew_at}, 'gt', $b->{not_before},
        'does not renew at each run';
}

# What the configuration wants decides: other names, another key type.
{
    configure(domains => [['a.test', 'new.a.test']],
              text => domain('b.test', 'ACMEPrivateKeys P-384'));
    like state_of('a.test')->{why} // '', qr/names are not the configured/,
        'changed names are due, and why';
    like state_of('b.test')->{why} // '', qr/key type is not the configured/,
        'a changed key type too';
    my $r = $scene->ends(['renew'], 0, 'renew');
    is_deeply results($r), { 'a.test' => 'issued', 'b.test' => 'issued' },
        'gets both';
    is_deeply $scene->serves_ok('new.a.test')->{names},
        ['a.test', 'new.a.test'], 'the new name is in it';
    like $rig->openssl('x509', '-in', $scene->file('b.test', 'cert.pem'),
                       '-noout', '-text'), qr/P-384/, 'the new key is P-384';
    idle('both are settled');

    # A second key type is a second certificate beside the first.
    configure(domains => [['a.test', 'new.a.test']],
              text => domain('b.test', 'ACMEPrivateKeys P-384 RSA-2048'));
    $r = $scene->ends(['renew'], 0, 'a second key type');
    is_deeply [map { "$_->{name} $_->{key_type} $_->{result}" }
               @{$r->{json}{results}}],
        ['a.test P-256 skipped', 'b.test P-384 skipped',
         'b.test RSA-2048 issued'], 'is got alone';
    $scene->serves_ok('b.test', 'and served', key => 'rsa');
}

# Another CA is a reason too; it gets an account of its own.
{
    my $other = ACME::Rig::Pebble->new($rig, name => 'other',
        http => $httpd->http, https => $httpd->https);
    $other->start;
    my $roots = $rig->write_file('roots.pem',
        $rig->read_file($ca->ca_file) . $rig->read_file($other->ca_file));
    configure(domains => [['a.test', 'new.a.test']],
              ca => [$other->directory], ca_file => $roots);
    like state_of('a.test')->{why} // '', qr/another CA issued it/,
        'a changed CA is due';
    my $r = $scene->ends(['renew'], 0, 'renew');
    is state_of('a.test')->{ca}, $other->directory, 'at the new CA';
    is scalar(my @accounts = glob $scene->store . '/accounts/*'), 2,
        'with an account there';

    # With both CAs configured, a certificate of either will do.
    configure(domains => [['a.test', 'new.a.test']], ca_file => $roots,
              ca => [$ca->directory, $other->directory]);
    idle('a CA of the list is as good');

    # Ten failures at the first CA, and the next of the list is asked; the
    # count survives the runs.
    my $ledger = $scene->store . '/ledger.json';
    my $json = JSON::PP->new->canonical;
    my $set = sub {
        my ($failures) = @_;
        $rig->write_file($ledger, $json->encode({ schema => 'acme-ledger/1',
            certificates => { 'a.test' => { failures => $failures } } }),
            0600);
    };
    $ca->halt;
    $set->(8);
    $r = $scene->refuses(['renew', '--force'], 75,
        qr/cannot reach the CA at https:..localhost:@{[$ca->port]}/,
        'the ninth failure at the first CA');
    is $json->decode($rig->read_file($ledger))
        ->{certificates}{'a.test'}{failures}, 9, 'is counted';
    $set->(9);
    $scene->refuses(['renew', '--force'], 75,
        qr/cannot reach the CA at https:..localhost:@{[$ca->port]}/,
        'the tenth too');
    $r = $scene->ends(['renew', '--force'], 0, 'then the next CA is asked');
    is state_of('a.test')->{ca}, $other->directory, 'and has issued it';
    ok !exists $json->decode($rig->read_file($ledger))
        ->{certificates}{'a.test'}{failures}, 'the count begins anew';
    $ca->start;
    $other->stop;
}

# One name fails, the others are issued: exit status 3, the failure is told
# for its name, kept for status, and gone after the next success.
{
    configure(domains => [['x.test'], ['bad.test'], ['y.test']]);
    $ca->resolver('set-servfail', { host => 'bad.test' });
    my $restarts = $httpd->restarts;
    my $r = $scene->ends(['renew'], 3, 'one of three fails');
    my $bad = ACME::Scene::result_of($r, 'bad.test');

    is_deeply results($r), { 'x.test' => 'issued', 'bad.test' => 'failed',
                             'y.test' => 'issued' }, 'the others do not';
    like $bad->{error}{detail}, qr/bad\.test/, 'the sentence names it';
    is $bad->{error}{identifier}, 'bad.test', 'and so does identifier';
    like $bad->{error}{type}, qr/^urn:ietf:params:acme:error:/,
        "the CA's type";
    is $httpd->restarts, $restarts, 'no restart for the good ones';
    $scene->serves_ok($_) for qw(x.test y.test);

    my $status = state_of('bad.test', 'status');
    is $status->{state}, 'missing', 'status: still missing';
    is $status->{last_error}{detail}, $bad->{error}{detail},
        'status: the last error';
    like $status->{last_error}{at}, qr/^\d{4}-\d\d-\d\dT/, 'and its time';
    like $scene->ctl('status')->{out},
        qr/^bad\.test: last error \([^)]+\): .*bad\.test/m,
        'as text too';

    $ca->resolver('clear-servfail', { host => 'bad.test' });
    $scene->ends(['renew'], 0, 'once it is mended');
    is state_of('bad.test', 'status')->{last_error}, undef,
        'the error is forgotten';
    $scene->serves_ok('bad.test');
    $scene->store_ok('after a failure');
}

# Expired is due, even where it was just issued.
{
    $ca->restart(profiles => { default => { description => 'short',
                                            validityPeriod => 12 } });
    configure(domains => [['short.test']]);
    $scene->ends(['renew'], 0, 'a certificate for 12 seconds');
    ACME::Rig::wait_for(30, 'its end', sub {
        state_of('short.test')->{state} eq 'expired';
    });
    pass 'it expires';
    $ca->restart(profiles => { default => { description => 'long',
                                            validityPeriod => 9_000_000 } });
    $scene->ends(['renew'], 0, 'renew');
    is state_of('short.test')->{state}, 'valid', 'gets another';
    $scene->serves_ok('short.test');
}

# No domain, nothing to do.
{
    configure();
    my $r = idle('no ACMEDomain at all');
    is $scene->ctl('renew')->{out}, "nothing to do\n", 'as text';
}

is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
