#!/usr/bin/perl

# Being seen: the section in server-status, the handlers acme-status (JSON)
# and acme-metrics (Prometheus), from before the first certificate on; what
# strangers said is shown, and can do no harm.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Encode ();
use JSON::PP ();
use POSIX ();

use ACME::Rig::EvilCA;
use ACME::Scene;

my $schema = ACME::Schema->new('state/status');
my $promtool = ACME::Rig::program('promtool');
my $locations = <<'END';
ExtendedStatus On
<Location /server-status>
    SetHandler server-status
</Location>
<Location /json>
    SetHandler acme-status
</Location>
<Location /metrics>
    SetHandler acme-metrics
</Location>
<Location /closed>
    SetHandler acme-status
    Require all denied
</Location>
END
my ($scene, $httpd, $ca);

# ------------------------------------------------------------------ reading

# A page, which must be whole: 200, UTF-8, nothing that moves a cursor.
sub page
{
    my ($path, $type, $what) = @_;
    my $answer = $httpd->get('a.test', $path);
    my $body = $answer->{body} // '';

    is $answer->{status}, 200, "$what: 200" or diag $answer->{error} // '';
    like $answer->{headers}{'content-type'} // '', $type, "$what: its type";
    ok eval { Encode::decode('UTF-8', my $copy = $body, Encode::FB_CROAK);
              1 }, "$what: UTF-8";
    unlike $body, qr/[\x00-\x08\x0b-\x1f\x7f]/, "$what: no control character";
    return $body;
}

# What we write tells no secret: no key, no token that a CA has asked for.
sub discreet
{
    my ($text, $what) = @_;
    my @tokens = $httpd->error_log =~ /challenge with token (\S+)/g;

    is scalar(grep { index($text, $_) >= 0 } 'PRIVATE KEY', @tokens), 0,
        "$what: no secret";
    return;
}

# The document of acme-status, checked against its schema.
sub status
{
    my ($what) = @_;
    my $body = page('/json', qr{^application/json}, "$what, JSON");
    my $json = eval { JSON::PP->new->utf8->decode($body) };

    ok $json, "$what: it is JSON" or diag $body;
    discreet($body, "$what, JSON");
    is_deeply [$schema->faults($json)], [],
        "$what: it passes schemas/state/status.json";
    return $json;
}

sub certificate_of
{
    my ($json, $name, $key_type) = @_;
    my ($found) = grep { $_->{name} eq $name
                         && $_->{key_type} eq ($key_type // 'P-256') }
        @{$json->{certificates}};

    return $found // {};
}

# Our section of server-status.
sub section
{
    my ($what, $query) = @_;
    my $html = page('/server-status' . ($query // ''), qr{^text/html},
                    "$what, HTML");

    my $ours = $html =~ m{(<h2>ACME certificates</h2>.*)</body>}s ? $1 : '';
    discreet($ours, "$what, HTML");
    return $ours;
}

# The lines of ?auto that are ours: { key => value }.
sub lines
{
    my ($what) = @_;
    my $text = page('/server-status?auto', qr{^text/plain}, "$what, ?auto");
    my @ours = grep { /^ACME/ } split /\n/, $text;

    is scalar(grep { !/^ACME[\w\[\]-]+: ./ } @ours), 0,
        "$what: every line has a key and a value";
    my %line = map { /^(\S+): (.*)$/ ? ($1 => $2) : () } @ours;
    is scalar(keys %line), scalar(@ours), "$what: no key twice";
    return \%line;
}

# Text format 0.0.4, read strictly: HELP, TYPE, then all samples of that
# metric; names and units as promtool wants them. { name{labels} => value }
sub samples
{
    my ($what) = @_;
    my $text = page('/metrics', qr{^text/plain; version=0\.0\.4}, "$what, "
                    . 'metrics');
    my (%value, %type, $name, @faults);

    discreet($text, "$what, metrics");
    push @faults, 'no final newline' if $text !~ /\n\z/;
    for my $line (split /\n/, $text, -1) {
        next if $line eq '';
        if ($line =~ /^# HELP ([a-z_]+) (\S.*\.)$/) {
            push @faults, "HELP $1 twice" if $type{$1};
            ($name, $type{$1}) = ($1, 'help');
        }
        elsif ($line =~ /^# TYPE ([a-z_]+) (counter|gauge|summary)$/) {
            my ($of, $type) = ($1, $2);
            push @faults, "TYPE of $of" if $name ne $of
                || $type{$of} ne 'help';
            push @faults, "name of $of"
                if ($type eq 'counter') != ($of =~ /_total$/)
                || $of =~ /gauge|counter|summary|_ms$|_count$|_sum$/;
            $type{$of} = $type;
        }
        elsif ($line =~ /^([a-z_]+)((?:\{[^\n]*\})?)[ ](\d+(?:\.\d+)?)$/x) {
            my ($sample, $labels, $number) = ($1, $2, $3);
            my $allowed = $type{$name} eq 'summary'
                ? qr/^\Q$name\E_(?:sum|count)$/ : qr/^\Q$name\E$/;
            push @faults, "$line: not of $name" if $sample !~ $allowed;
            my $label = qr/[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"/;
            push @faults, "$line: labels" if $labels ne ''
                && $labels !~ /^\{$label(?:,$label)*\}$/;
            push @faults, "$line: twice" if exists $value{"$sample$labels"};
            $value{"$sample$labels"} = $number;
        }
        else {
            push @faults, "what is: $line";
        }
    }
    is_deeply \@faults, [], "$what: Prometheus can read them";
    promtool_ok($text, $what) if $promtool;
    return \%value;
}

sub promtool_ok
{
    my ($text, $what) = @_;
    my $r = $scene->rig->run([$promtool, 'check', 'metrics'],
                             input => $text);

    is "$r->{status} $r->{out}$r->{err}", '0 ', "$what: promtool agrees";
    return;
}

sub epoch
{
    my ($text) = @_;
    my ($y, $m, $d, $h, $min, $s) = ($text // '0-0-0T0:0:0') =~ /(\d+)/g;

    local $ENV{TZ} = 'UTC';
    return POSIX::mktime($s, $min, $h, $d, $m - 1, $y - 1900);
}

# ------------------------------------------------------------------ set-up

# An httpd of this MPM with a CA of its own. Options: manager.
sub begin
{
    my ($rig, $mpm, %opt) = @_;

    $scene = ACME::Scene->new(rig => $rig, ca => 0, name => "-$mpm-$opt{name}",
        httpd => { mpm => $mpm, more => ['status'],
                   manager => $opt{manager} });
    $httpd = $scene->httpd;
    $ca = ACME::Rig::EvilCA->new($rig, name => "ca-$mpm-$opt{name}",
                                 http => $httpd->http)->start;
    $scene->{ca} = $ca;
    return;
}

sub configure
{
    my ($text, @domains) = @_;

    $scene->config(domains => \@domains, text => $locations . $text);
    return;
}

# A refusal that tries to break every page it is shown on.
my $EVIL = "<script>alert(\"x\")</script> & 'y'\n# TYPE \x{1b}[31m\x{202e}"
    . "\x{e4}\x{fc} " . 'long ' x 200;
my %refuse = (newOrder => sub { ACME::Rig::EvilCA::problem(403,
    'rejectedIdentifier', $EVIL) });

# ------------------------------------------- before and after a certificate

# Before any certificate, and before acmectl has ever run, pages name every
# domain and what it waits for.
sub before
{
    my ($mpm) = @_;
    my $what = "$mpm, before";
    my $json = status($what);
    my $a = certificate_of($json, 'a.test');

    is_deeply [@$a{qw(state names not_after last_error generation served)}],
        ['missing', ['a.test', 'www.a.test'], undef, undef, 0,
         JSON::PP::true], "$what: a.test is missing";
    is certificate_of($json, 'two.test', 'RSA-2048')->{state}, 'missing',
        "$what: each key type is told of";
    is_deeply [@{$json->{manager}}{qw(enabled running pid)}],
        [JSON::PP::false, JSON::PP::false, undef], "$what: no manager";
    my $html = section($what);
    like $html, qr{<b>a\.test</b> www\.a\.test}, "$what: named";
    like $html, qr{>missing</b>}, "$what: missing";
    like $html, qr{Manager: off}, "$what: the manager is off";
    my $lines = lines($what);
    is $lines->{'ACMECertificates-missing'}, 4, "$what: counted";
    is $lines->{ACMEManager}, 'off', "$what: the manager";
    my $samples = samples($what);
    is $samples->{'acme_certificates{state="missing"}'}, 4,
        "$what: counted here, too";
    is $samples->{acme_manager_up}, 0, "$what: the manager is down";
    ok !(grep { /not_after/ } keys %$samples), "$what: no end of nothing";
    return;
}

# A certificate is on every page as soon as it is there; handshakes with it
# and the CA's visits are counted.
sub after
{
    my ($mpm) = @_;
    my $what = "$mpm, after";
    $scene->ends(['issue', 'a.test'], 0, "$what: issued");
    my $served = $scene->serves_ok('a.test', "$what: served");
    my $json = status($what);
    my $a = certificate_of($json, 'a.test');

    is_deeply [@$a{qw(state generation swaps failures last_error renewing)}],
        ['valid', 1, 1, 0, undef, JSON::PP::false], "$what: valid";
    is $a->{serial} =~ s/^0+//r, lc($served->{serial}) =~ s/^0+//r,
        "$what: its serial";
    is epoch($a->{not_after}), $served->{not_after}, "$what: its end";
    cmp_ok epoch($a->{renew_at}), '<', $served->{not_after},
        "$what: its renewal";
    is_deeply $a->{orders}, { issued => 1, failed => 0 }, "$what: its order";
    is $a->{ca}, $ca->directory, "$what: its CA";
    is certificate_of($json, 'two.test')->{state}, 'missing',
        "$what: the other is still missing";
    my ($http01) = grep { $_->{type} eq 'http-01' } @{$json->{challenges}};
    is $http01->{answered}, 2, "$what: two challenges were answered";
    cmp_ok $json->{handshakes_swapped}, '>=', 1, "$what: a handshake";
    is $json->{cas}[0]{url}, $ca->directory, "$what: the CA is timed";
    cmp_ok $json->{cas}[0]{replies}, '>=', 8, "$what: by its replies";
    my $html = section($what);
    like $html, qr{>valid</b>.*until \d{4}-}s, "$what: valid";
    like $html, qr{CA https://\S+: \d+ requests, answered in \d+ ms},
        "$what: the CA in HTML";
    is lines($what)->{'ACMECertificates-valid'}, 1, "$what: counted";
    my $samples = samples($what);
    my $labels = '{name="a.test",key_type="P-256"}';
    is int $samples->{"acme_certificate_not_after_timestamp_seconds$labels"},
        $served->{not_after}, "$what: its end as a number";
    is $samples->{"acme_certificate_generation$labels"}, 1,
        "$what: its generation";
    is $samples->{'acme_orders_total{result="issued"}'}, 1, "$what: orders";
    is $samples->{'acme_challenges_served_total{type="http-01",'
                  . 'result="answered"}'}, 2, "$what: challenges";
    return;
}

# A failure is shown with the CA's words: escaped, on one line, bounded.
sub failing
{
    my ($mpm) = @_;
    my $what = "$mpm, failing";

    $ca->restart(%refuse);
    $scene->ctl('issue', 'two.test');
    my $json = status($what);
    my $two = certificate_of($json, 'two.test');
    is $two->{failures}, 1, "$what: a failure";
    is $two->{last_error}{type},
        'urn:ietf:params:acme:error:rejectedIdentifier', "$what: its type";
    like $two->{last_error}{detail},
        qr{<script>alert\("x"\)</script> & 'y'}, "$what: its words";
    cmp_ok length $two->{last_error}{detail}, '<', 500, "$what: bounded";
    ok $two->{next_try}, "$what: the next try";
    my $html = section($what);
    unlike $html, qr/<script/, "$what: no script in HTML";
    like $html, qr/&lt;script&gt;alert\((?:&quot;|")x/, "$what: escaped";
    like $html, qr/\(1 in a row\)/, "$what: how often";
    like $html, qr/next try \d{4}-/, "$what: the next try";
    ok index($html, 'two.test') < index($html, 'a.test'),
        "$what: what needs attention is first";
    unlike section($what, '?notable'), qr/<table|<script/,
        "$what: without tables there are none";
    my $lines = lines($what);
    is $lines->{'ACMECertificate[0]Name'}, 'two.test', "$what: first";
    like $lines->{'ACMECertificate[0]LastError'}, qr/^rejectedIdentifier: /,
        "$what: one line";
    is $lines->{'ACMECertificates-failing'}, 2, "$what: both key types";
    is samples($what)->{'acme_orders_total{result="failed"}'}, 2,
        "$what: counted";
    # What is not even UTF-8 is nobody's words.
    $ca->restart(newOrder => sub { return { status => 400,
        type => 'application/problem+json',
        body => "{\"detail\":\"\xff<i>\",\"type\":\"x\"}" } });
    $scene->ctl('issue', 'www.other.test', 'other.test');
    unlike section("$what, bytes"), qr/<i>|\xff/, "$what: no foreign byte";
    status("$what, bytes");
    $ca->restart;
    return;
}

# A restart loses nothing of it; the domains that are new are told of.
sub restarted
{
    my ($mpm) = @_;
    my $what = "$mpm, restarted";
    my $before = status("$what, before");

    configure('', ['a.test', 'www.a.test'], ['new.test'],
              ['two.test'], ['other.test', 'www.other.test']);
    $httpd->graceful;
    my $json = status($what);
    my ($old, $new) = map { certificate_of($_, 'a.test') } $before, $json;
    delete @$_{qw(swaps)} for $old, $new;
    is_deeply $new, $old, "$what: a.test is as it was";
    is_deeply certificate_of($json, 'two.test')->{last_error},
        certificate_of($before, 'two.test')->{last_error},
        "$what: the last error stays";
    is certificate_of($json, 'new.test')->{state}, 'missing',
        "$what: a new domain";
    is_deeply [@$json{qw(orders challenges)}],
        [@$before{qw(orders challenges)}], "$what: the counters go on";
    is certificate_of($json, 'a.test')->{generation}, 1,
        "$what: what is loaded is told";
    return;
}

# --------------------------------------------------------------- requests

# GET and HEAD; anything else is refused. Access is the admin's matter.
sub requests
{
    my ($mpm) = @_;

    for my $path ('/json', '/metrics') {
        my $get = $httpd->get('a.test', $path);
        my $head = $httpd->get('a.test', $path, method => 'HEAD');
        is $head->{status} . $head->{body}, '200', "$mpm: HEAD $path";
        is $head->{headers}{'content-type'}, $get->{headers}{'content-type'},
            "$mpm: HEAD $path: its type";
        is $get->{headers}{'cache-control'}, 'no-store',
            "$mpm: $path is not kept";
        for my $method (qw(POST PUT DELETE)) {
            my $answer = $httpd->get('a.test', $path, method => $method,
                                     body => 'x');
            is $answer->{status}, 405, "$mpm: $method $path";
            like $answer->{headers}{allow} // '', qr/GET/,
                "$mpm: $method $path: Allow";
        }
    }
    is $httpd->get('a.test', '/closed')->{status}, 403,
        "$mpm: access control is in force";
    return;
}

# ACMEServerStatus off takes the section away and leaves the handlers.
sub switched_off
{
    my ($mpm) = @_;

    configure("ACMEServerStatus off\n", ['a.test', 'www.a.test']);
    $httpd->graceful;
    is section("$mpm, off"), '', "$mpm: ACMEServerStatus off";
    is_deeply lines("$mpm, off"), {}, "$mpm: no line in ?auto";
    is certificate_of(status("$mpm, off"), 'a.test')->{state}, 'valid',
        "$mpm: the handlers answer all the same";
    return;
}

# What came of tls-alpn-01 is counted: a challenge that is pending, and one
# that nobody knows.
sub counted
{
    my ($mpm, $rig) = @_;
    my $live_put = ACME::Rig::builddir() . '/t/lib/live_put';
    my $tls = $rig->make_tls("alpn-$mpm", names => ['a.test']);
    my $r = $rig->run([$live_put, $httpd->root . '/run/acme-live', 'name',
                       'a.test', 60, (@$tls{qw(cert key)}) x 2]);

    is $r->{status}, 0, "$mpm: a pending name" or diag $r->{err};
    for my $name (qw(a.test b.test b.test)) {
        $rig->run([ACME::Rig::program('openssl'), 's_client', '-connect',
                   '127.0.0.1:' . $httpd->https, '-servername', $name,
                   '-alpn', 'acme-tls/1'], input => '', timeout => 20);
    }
    my $samples = samples("$mpm, tls-alpn-01");
    my $metric = 'acme_challenges_served_total{type="tls-alpn-01",result=';
    is_deeply [map { $samples->{"$metric\"$_\"}"} }
               qw(answered refused unknown)], [1, 0, 2],
        "$mpm: tls-alpn-01 is counted";
    my ($alpn) = grep { $_->{type} eq 'tls-alpn-01' }
        @{status("$mpm, tls-alpn-01")->{challenges}};
    is_deeply $alpn, { type => 'tls-alpn-01', answered => 1, refused => 0,
                       unknown => 2 }, "$mpm: in JSON, too";
    return;
}

# A manager is there as long as a process has its number and it does not
# oversleep: numbers are used again.
sub believed
{
    my ($rig) = @_;
    my %case = ("$$ 60" => 'it sleeps', "$$ -600" => 'it is late',
                "$$ -3600" => 'that is another process',
                '4194399 60' => 'no such process', '0 60' => 'none');

    for my $case (sort keys %case) {
        my $r = $rig->run([ACME::Rig::builddir() . '/t/lib/live_put',
                           $httpd->root . '/run/acme-live', 'manager',
                           split / /, $case]);
        is $r->{status}, 0, "the manager: $case" or diag $r->{err};
        my $manager = status($case{$case})->{manager};
        my $runs = $case =~ /^$$ (?:60|-600)$/ ? $$ : 'none';
        is $manager->{pid} // 'none', $runs, $case{$case};
        is !!$manager->{running}, $runs ne 'none', "$case{$case}: running";
    }
    return;
}

ACME::Rig::skip_unless_able(qw(openssl));
my $rig = ACME::Rig->new;

for my $mpm (qw(event worker prefork)) {
    begin($rig, $mpm, name => 'main');
    configure("<ACMEDomain two.test>\n    ACMEPrivateKeys P-256 RSA-2048\n"
              . "</ACMEDomain>\n" . $scene->host('two.test'),
              ['a.test', 'www.a.test'], ['other.test', 'www.other.test']);
    $scene->start;
    before($mpm);
    after($mpm);
    failing($mpm);
    restarted($mpm);
    requests($mpm);
    counted($mpm, $rig);
    switched_off($mpm);
    is $httpd->faults, '', "$mpm: no child crashed";
    next if $mpm ne 'prefork';

    # What httpd has loaded itself is known without acmectl, also when the
    # segment was lost; what left the store is not shown any more.
    $httpd->stop;
    unlink $httpd->root . '/run/acme-live';
    configure('', ['a.test', 'www.a.test']);
    $scene->start;
    my $a = certificate_of(status('alone'), 'a.test');
    is $a->{state}, 'valid', 'httpd alone: valid';
    ok $a->{serial} && $a->{not_after} && !defined $a->{ca},
        'httpd alone: what the certificate says';
    believed($rig);
    is $a->{issuer}, 'Evil Issuer', 'httpd alone: its issuer';
    rename $scene->store . '/domains/a.test', $scene->store . '/gone';
    $httpd->graceful;
    $a = certificate_of(status('removed'), 'a.test');
    is "$a->{state} $a->{generation} " . ($a->{not_after} // 'never'),
        'missing 0 never', 'a certificate that was removed is missing';
    $httpd->stop;

    # Where the segment cannot be made pages still answer.
    unlink $httpd->root . '/run/acme-live';
    $rig->make_dir($httpd->root . '/run/acme-live', 0700);
    $scene->start;
    my $json = status('no segment');
    is certificate_of($json, 'a.test')->{state}, 'unknown',
        'without a segment nothing is known';
    is $json->{restarted}, undef, 'which can be seen';
    like section('no segment'), qr/unknown/, 'in HTML';
    is samples('no segment')->{'acme_certificates{state="unknown"}'}, 1,
        'as a metric';
    is lines('no segment')->{'ACMECertificates-unknown'}, 1, 'as a line';
    rmdir $httpd->root . '/run/acme-live';
    $httpd->stop;
}

# -------------------------------------------------------------- the manager

# The manager is on the page, with its orders while they are under way; what
# acmectl tells and what pages tell is the same.
{
    begin($rig, 'event', name => 'manager', manager => 1);
    $ca->restart(certificate => sub { my ($request, $honest) = @_;
                                      return { %{$honest->()}, delay => 2 };
                                    });
    configure('', ['m.test']);
    $scene->start;
    my $json;
    ok eval { ACME::Rig::wait_for(20, 'an order', sub {
        $json = JSON::PP->new->utf8->decode(
            $httpd->get('m.test', '/json')->{body});
        certificate_of($json, 'm.test')->{renewing} }) },
        'an order is shown while it is under way';
    is $json->{manager}{ordering}, 1, 'and counted';
    like section('ordering'), qr/Manager: ordering 1 certificate \(pid/,
        'in HTML, too';
    ok eval { ACME::Rig::wait_for(30, 'its end', sub {
        $json = JSON::PP->new->utf8->decode(
            $httpd->get('m.test', '/json')->{body});
        $json->{manager}{next_wake}
            && certificate_of($json, 'm.test')->{state} eq 'valid' }) },
        'then it is valid';
    is $json->{manager}{pid}, $httpd->manager, 'the manager has a pid';
    ok $json->{manager}{running}, 'and runs';
    like section('idle'), qr/Manager: idle \(pid \d+\), last look .*next 2/,
        'as HTML';
    is samples('idle')->{acme_manager_up}, 1, 'as a metric';
    is lines('idle')->{ACMEManager}, 'idle', 'as a line';
    my ($told) = @{$scene->ctl('--json', 'status')->{json}{certificates}};
    my $shown = certificate_of($json, 'm.test');
    is_deeply { map { $_ => $shown->{$_} } qw(name names key_type state
        not_before not_after serial issuer ca renew_at next_try why) },
        { map { $_ => $told->{$_} } qw(name names key_type state not_before
          not_after serial issuer ca renew_at next_try why) },
        '"acmectl status" says the same';

    # A manager that cannot work at all says why.
    rename $scene->store . '/ledger.json', $scene->store . '/ledger.kept';
    $rig->write_file($scene->store . '/ledger.json', "no JSON\n");
    kill 'HUP', $httpd->manager;
    ok eval { ACME::Rig::wait_for(20, 'trouble', sub {
        section('trouble') =~ /It cannot work now: / }) },
        'its trouble is shown';
    like status('trouble')->{manager}{trouble}, qr/ledger\.json/, 'as JSON';
    rename $scene->store . '/ledger.kept', $scene->store . '/ledger.json';

    # Many domains: the page stays short, says so, and JSON has all.
    $httpd->set_manager(0);
    configure('', ['m.test'], map { ["n$_.test"] } 1 .. 150);
    $httpd->graceful;
    my $html = section('many');
    my $rows = () = $html =~ /<tr><td/g;
    is $rows, 100, 'of many domains a hundred are shown';
    like $html, qr/51 more domains are not shown/, 'the others are counted';
    is lines('many')->{ACMEDomainsNotShown}, 51, 'in ?auto, too';
    $json = status('many');
    is scalar @{$json->{certificates}}, 151, 'JSON has all';
    ok !$json->{manager}{running}, 'the manager has gone';
    is samples('many')->{'acme_certificates{state="missing"}'}, 150,
        'metrics count all';
    is $httpd->faults, '', 'no child crashed';
}

done_testing;
