package ACME::Scene;

# What most whole-system tests begin with: a rig with a private httpd and a
# CA, an httpd.conf that joins them, and acmectl run on it. It also holds
# what must be true after every run of acmectl, whatever its outcome:
# one JSON object that says what the exit status says, a store that is whole
# and private, and an httpd that still serves what it served.
#
#   my $scene = ACME::Scene->new;                   # Pebble; not started
#   $scene->config(domains => [['a.test', 'www.a.test']])->start;
#   my $r = $scene->ctl(qw(issue a.test));
#   $scene->refuses(['issue', 'c.test'], 2, qr/not a managed/, 'a stranger');

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Find ();
use Net::SSLeay ();
use Test::More;

use ACME::Rig;
use ACME::Rig::Httpd;
use ACME::Rig::Pebble;
use ACME::Schema;

my $result_schema = ACME::Schema->new('state/result');

# Options: rig, name (of httpd and CA, where there are several), ca (a CA
# that is made already; 0: none), pebble (options for it), httpd (options).
sub new
{
    my ($class, %opt) = @_;

    ACME::Rig::skip_unless_able(qw(openssl));
    plan(skip_all => ACME::Rig::acmectl_path() . ' is not built')
        if !-x ACME::Rig::acmectl_path();
    my $rig = $opt{rig} // ACME::Rig->new;
    my $name = $opt{name} // '';
    my $httpd = ACME::Rig::Httpd->new($rig, name => "httpd$name",
                                      %{$opt{httpd} // {}});
    my $self = bless { rig => $rig, httpd => $httpd, ca => $opt{ca} },
        $class;

    $httpd->write_page('index.html', "the page\n");
    if (!defined $opt{ca}) {
        $self->{ca} = ACME::Rig::Pebble->new($rig, name => "pebble$name",
            http => $httpd->http, https => $httpd->https,
            %{$opt{pebble} // {}});
        $self->{ca}->start;
    }
    return $self;
}

sub rig { return $_[0]{rig} }
sub httpd { return $_[0]{httpd} }
sub ca { return $_[0]{ca} }
sub store { return $_[0]{store} // $_[0]{httpd}->store }

# ---------------------------------------------------------- configuration

# A virtual host with TLS and no certificate of its own.
sub host
{
    my ($self, $name, @aliases) = @_;
    my $https = $self->{httpd}->https;
    my $aliases = @aliases ? "    ServerAlias @aliases\n" : '';

    return "<VirtualHost *:$https>\n    ServerName $name\n$aliases"
        . "    SSLEngine on\n</VirtualHost>\n";
}

# Write httpd.conf. Options: domains (lists of names: an ACMEDomain and a
# host for each), text (more lines, after these), ca (URLs), ca_file,
# agreement (0), contact, port_map. Returns the scene.
sub config
{
    my ($self, %opt) = @_;
    my $ca = $self->{ca};
    my @urls = @{$opt{ca} // ($ca ? [$ca->directory] : [])};
    my $roots = $opt{ca_file} // ($ca ? $ca->ca_file : undef);
    my $text = '';

    $text .= "ACMECertificateAuthority @urls\n" if @urls;
    $text .= "ACMECACertificateFile \"$roots\"\n" if $roots;
    $text .= "ACMEAgreement accepted\n" if $opt{agreement} // 1;
    $text .= 'ACMEContact ' . ($opt{contact} // 'none') . "\n";
    $text .= "ACMEPortMap $opt{port_map}\n" if $opt{port_map};
    $text .= "<Directory \"/\">\n    Require all granted\n</Directory>\n";
    for my $names (@{$opt{domains} // []}) {
        $text .= "ACMEDomain @$names\n" . $self->host(@$names);
    }
    $self->{httpd}->write_config($text . ($opt{text} // ''));
    return $self;
}

# Start httpd. Its ports are open before it has logged that it is up, and
# restarts are counted by that line.
sub start
{
    my ($self) = @_;
    my $httpd = $self->{httpd};
    my $before = $httpd->restarts;

    $httpd->start;
    ACME::Rig::wait_for(20, 'the start of httpd',
                        sub { $httpd->restarts > $before });
    return $self;
}

# ---------------------------------------------------------------- acmectl

# Run acmectl; with --json in the arguments its object is checked too.
sub ctl
{
    my ($self, @args) = @_;
    my $opt = ref $args[-1] eq 'HASH' ? pop @args : {};
    my $r = $self->{httpd}->acmectl(\@args, %$opt);

    $r->{what} = "acmectl @args";
    $self->_give_up if $r->{timeout} && !$opt->{timeout} && $self->{ca}
        && $self->{ca}->has_locked_up;
    $self->json_ok($r) if grep { $_ eq '--json' } @args;
    return $r;
}

# Without a CA that answers there is nothing to be seen of acmectl: the rest
# of the test is skipped, and says so.
sub _give_up
{
    SKIP: {
        skip 'Pebble has locked itself up (its log has what it waits for)', 1;
    }
    done_testing;
    exit 0;
}

# INTERFACE 2: exactly one object on stdout, which passes its schema and
# agrees with the exit status.
sub json_ok
{
    my ($self, $r) = @_;
    my $ok = $r->{status} == 0 || $r->{status} == 10;

    subtest "the object of $r->{what}" => sub {
        like $r->{out}, qr/\A\{[^\n]*\}\n\z/, 'one line, one object'
            or diag $r->{out}, $r->{err};
        ok $r->{json}, 'it is JSON' or return;
        is_deeply [$result_schema->faults($r->{json})], [],
            'it passes schemas/state/result.json';
        is $r->{json}{exit}, $r->{status}, 'exit is the exit status';
        is !!$r->{json}{ok}, $ok, 'ok says the same';
    };
    return;
}

# The results of issue and renew: { name => [results] } or one of them.
sub result_of
{
    my ($r, $name, $key_type) = @_;
    my @found = grep { $_->{name} eq $name
                       && (!$key_type || $_->{key_type} eq $key_type) }
        @{$r->{json}{results} // []};

    return $found[0] // {};
}

# Run acmectl --json with the arguments; it must end with $status.
sub ends
{
    my ($self, $args, $status, $what, %opt) = @_;
    my $r = $self->ctl('--json', @$args, \%opt);

    is $r->{status}, $status, $what
        or diag "acmectl @$args\n$r->{out}$r->{err}";
    return $r;
}

# Every sentence of a result that tells a failure.
sub sentences
{
    my ($r) = @_;
    my $json = $r->{json} // {};

    return grep { defined } $json->{error} && $json->{error}{detail},
        map { $_->{error} ? $_->{error}{detail} : undef }
        @{$json->{results} // []};
}

# acmectl must refuse with $status and one sentence that fits $pattern, and
# leave everything as it was. Options: those of run, and `changes` (1: the
# store's certificates may change).
sub refuses
{
    my ($self, $args, $status, $pattern, $what, %opt) = @_;
    my $changes = delete $opt{changes};
    my $before = $self->kept;
    my $served = $self->served_now;
    my $r;

    subtest $what => sub {
        $r = $self->ctl('--json', @$args, \%opt);
        is $r->{status}, $status, "exit status $status"
            or diag $r->{out}, $r->{err};
        my @sentences = sentences($r);
        like $sentences[0] // '', $pattern, 'the sentence';
        is scalar(grep { /[\x00-\x1f\x7f]/ || length > 1000 } @sentences), 0,
            'it is one line';
        is_deeply $self->kept, $before, 'nothing in the store is lost'
            if !$changes;
        is_deeply $self->served_now, $served, 'httpd serves what it served';
    };
    return $r;
}

# ------------------------------------------------------------------ store

# What must never get lost: { path => "mode owner content" } of all
# generations, "current" links and account keys.
sub kept
{
    my ($self) = @_;
    my $store = $self->store;
    my %kept;

    return \%kept if !-d $store;
    File::Find::find({ no_chdir => 1, wanted => sub {
        my $path = substr $File::Find::name, length $store;
        return if $path !~ m{^/(?:domains/|accounts/[^/]+/key\.pem)};
        my @st = lstat $File::Find::name;
        my $content = -l _ ? readlink $File::Find::name : -f _
            ? sha256_hex(ACME::Rig->read_file($File::Find::name) // '') : '';
        $kept{$path} = sprintf '%o %d %s', $st[2], $st[4], $content;
    } }, $store);
    return \%kept;
}

# The generation that is current, as a number; 0 if there is none.
sub generation
{
    my ($self, $id) = @_;
    my $target = readlink($self->store . "/domains/$id/current") // 0;

    return $target + 0;
}

# A file of the certificate of that id, from its current generation.
sub file
{
    my ($self, $id, $name) = @_;

    return $self->store . "/domains/$id/current/$name";
}

# The store is whole: private, without half-written or forgotten files, and
# every certificate fits its key. Options: orders (1: some may be open).
sub store_ok
{
    my ($self, $what, %opt) = @_;
    my @faults = $self->_mode_faults;

    for my $dir (glob $self->store . '/domains/*') {
        my ($id) = $dir =~ m{([^/]+)$};
        push @faults, map { "domains/$id: $_" } $self->_pair_faults($id);
    }
    if (!$opt{orders}) {
        push @faults, map { "left over: $_" }
            glob $self->store . '/orders/*';
    }
    is_deeply \@faults, [], "$what: the store is whole";
    return;
}

sub _mode_faults
{
    my ($self) = @_;
    my $store = $self->store;
    my @faults;

    File::Find::find({ no_chdir => 1, wanted => sub {
        my $path = $File::Find::name;
        my @st = lstat $path or return;
        my $mode = $st[2] & 07777;
        my $want = -d _ ? 0700 : 0600;
        push @faults, sprintf '%s: mode %04o', $path, $mode
            if !-l _ && $mode != $want;
        push @faults, "$path: owner $st[4]" if $st[4] != $>;
        push @faults, "$path: left over"
            if $path =~ m{/(?:\.[^/]*tmp[^/]*|probe)$};
    } }, $store) if -d $store;
    return @faults;
}

# A generation is complete, and its key fits its certificate.
sub _pair_faults
{
    my ($self, $id) = @_;
    my $current = $self->store . "/domains/$id/current";
    my $target = readlink $current // return 'no link "current"';
    my @all = map { m{([^/]+)$} } glob $self->store . "/domains/$id/*";
    my @faults;

    return "current points at $target" if $target !~ /^\d{8}$/;
    push @faults, "$_ is neither a generation nor current"
        for grep { !/^(?:\d{8}|current)$/ } @all;
    push @faults, "$_ is newer than current"
        for grep { /^\d{8}$/ && $_ > $target } @all;
    for my $name (qw(cert chain fullchain)) {
        push @faults, "$target/$name.pem is missing"
            if !-s "$current/$name.pem";
    }
    push @faults, "$target/meta.json is missing" if !-s "$current/meta.json";
    push @faults, 'the key does not fit'
        if $id !~ /~csr$/ && !_fits("$current/cert.pem", "$current/key.pem");
    return @faults;
}

sub _fits
{
    my ($cert, $key) = @_;
    my $ctx = Net::SSLeay::CTX_new();
    my $ok = Net::SSLeay::CTX_use_certificate_file($ctx, $cert, 1)
        && Net::SSLeay::CTX_use_PrivateKey_file($ctx, $key, 1)
        && Net::SSLeay::CTX_check_private_key($ctx);

    Net::SSLeay::CTX_free($ctx);
    Net::SSLeay::ERR_clear_error();
    return $ok;
}

# ---------------------------------------------------------------- serving

# What httpd serves for a name, verified against the CA's root:
# fetch's answer. Options: those of fetch, key ("ec" or "rsa": a client
# that takes only such certificates).
sub served
{
    my ($self, $name, %opt) = @_;
    my $key = delete $opt{key};

    $opt{ssl} = { SSL_version => 'TLSv12', SSL_cipher_list => $key eq 'rsa'
        ? 'ECDHE-RSA-AES128-GCM-SHA256' : 'ECDHE-ECDSA-AES128-GCM-SHA256' }
        if $key;
    return $self->{httpd}->get_tls($name, '/', ca => $self->{ca}->roots_file,
                                   %opt);
}

# A trusted certificate for the name, and the page behind it.
sub serves_ok
{
    my ($self, $name, $what, %opt) = @_;
    my $answer = $self->served($name, %opt);

    is $answer->{status} . ' ' . ($answer->{body} // ''), "200 the page\n",
        $what // "$name is served with a trusted certificate"
        or diag $answer->{error} // '';
    return $answer->{cert} // {};
}

# How httpd answers now: pid, restarts, the page, the certificate of the
# default host. Undefined parts where it does not run.
sub served_now
{
    my ($self) = @_;
    my $httpd = $self->{httpd};

    return {} if !$httpd->is_running;
    my $tls = $httpd->get_tls('localhost', '/');
    return { pid => $httpd->pid, restarts => $httpd->restarts,
        page => $httpd->get('localhost', '/')->{body},
        certificate => $tls->{cert} ? $tls->{cert}{sha256} : $tls->{error} };
}

# The CA's log holds so many requests more than before a piece of code.
sub requests_of
{
    my ($self, $code) = @_;
    my $before = () = $self->{ca}->requests;

    $code->();
    my $after = () = $self->{ca}->requests;
    return $after - $before;
}

1;
