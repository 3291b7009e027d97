#!/usr/bin/perl

# What the hosts of a plan need of the whole server (modules, mod_acme and
# its settings, a place for staples, a port), put into every tree of t/roots
# and read again by the real httpd.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use ACME::Rig;
use ACME::Root;

ACME::Rig::skip_unless_able(qw(openssl diff));

my $PUT = ACME::Rig::builddir() . '/t/lib/server_put';
plan skip_all => "needs $PUT, which is not built" if !-x $PUT;

my $rig = ACME::Rig->new;
my @ports = $rig->ports(4);
my $own = $rig->make_tls('own');
my @names = @ARGV ? @ARGV : ACME::Root::names();

for my $name (grep { $_ ne 'a2enmod' } @names) {
    subtest $name => sub { tree($name) };
}
subtest 'a2enmod' => \&a2enmod if !@ARGV || "@ARGV" eq 'a2enmod';

# The document as acmectl has it: whether the tree loads mod_acme itself is
# in it.
sub document
{
    my ($root) = @_;
    my $dump = $root->httpd('-t', '-D', 'DUMP_ACME');
    my $config = eval { JSON::PP->new->utf8->decode($dump->{out}) };
    my $loaded = defined $config;

    $config //= $root->document->{json} // return;
    $config->{modules}{acme} = $loaded ? JSON::PP::true : JSON::PP::false;
    return $config;
}

# Run it once over the tree. Adds: config, the document before.
sub put
{
    my ($root, @wishes) = @_;
    my $config = document($root);
    my $file = $rig->write_file("$root->{dir}/dump.json",
                                JSON::PP->new->utf8->encode($config));
    my $r = $rig->run([$PUT, $file, $root->{fill}{ACME}, @wishes],
                      env => $root->env);

    $r->{config} = $config;
    return $r;
}

sub tree
{
    my ($name) = @_;
    my @ssl = ('ssl', 'headers', 'stapling', "listen=$ports[1]");
    my @acme = ('acme', 'agreement', 'contact=admin@firma.test');
    my $root = ACME::Root->new($rig, $name, ports => \@ports,
                               cert => $own->{cert}, key => $own->{key});
    my $before = $root->snapshot;
    my $r = put($root, @ssl, @acme);

    note $r->{out}, $r->{err};
    if ($r->{status}) {
        like $r->{out}, qr/^refused: \S*httpd\.conf is written by cPanel/,
            'it is refused with a reason';
        is_deeply [$root->changed($before)], [], 'and nothing is touched';
        return;
    }
    works($root);
    $r = put($root, @ssl, @acme);
    is $r->{out} =~ s/^warning: .*\n//mgr, "changes: 0\n",
        'a second time there is nothing to do';
    early($name, @ssl, @acme);
    return;
}

# httpd accepts what is there now, and would start with it.
sub works
{
    my ($root) = @_;
    my $dump = $root->httpd('-t', '-D', 'DUMP_ACME', '-D',
                            'ACME_START_CHECK');

    is $dump->{status}, 0, 'httpd would start' or diag $dump->{err};
    my $config = eval { JSON::PP->new->utf8->decode($dump->{out}) }
        // return fail 'mod_acme is loaded';
    my $server = $config->{server};
    my %main = map { $_->{name} => $_->{args} }
               @{$server->{main}{directives}};

    ok $config->{modules}{$_}, "$_ is loaded"
        for qw(ssl headers socache_shmcb);
    ok $server->{stapling_cache}, 'there is a place for staples';
    is $main{ACMEAgreement}, 'accepted', 'the agreement is said';
    like $main{ACMEContact} // '', qr/admin\@firma\.test/, 'the contact too';
    is scalar(grep { $_->{port} == $ports[1] } @{$server->{listeners}}) > 0,
        1, 'httpd listens for TLS';
    unlike $dump->{err}, qr/already loaded/, 'nothing is loaded twice';
    return;
}

# What a certificate waits for works without the rest.
sub early
{
    my ($name, @wishes) = @_;
    my $root = ACME::Root->new($rig, $name, ports => \@ports,
                               as => "$name-early", cert => $own->{cert},
                               key => $own->{key});
    my $r = put($root, @wishes, 'early');

    is $r->{status}, 0, 'the early part' or return diag $r->{out};
    return if $r->{config}{modules}{acme};
    my $dump = $root->httpd('-t', '-D', 'DUMP_ACME');
    my $config = eval { JSON::PP->new->utf8->decode($dump->{out}) };
    ok $config, 'loads mod_acme by itself' or return diag $dump->{err};
    is $config->{modules}{headers}, $r->{config}{modules}{headers},
        'and only that' if $r->{out} !~ /snippet|conf\.modules\.d/;
    return;
}

# -------------------------------------------------------------- a2enmod

# Every module of this Debian, enabled by a2enmod and by us, each on a tree
# of its own: the same links, or a refusal of both. Not those for which
# a2enmod asks apachectl or starts services.
sub a2enmod
{
    my $program = '/usr/sbin/a2enmod';
    my $available = '/etc/apache2/mods-available';
    my @modules = map { m{([^/]+)\.load$} } glob "$available/*.load";

    plan skip_all => 'needs Debian' if !-x $program || !@modules;
    for my $module (grep { !/^(?:cgi|cache_disk|acme)$/ } @modules) {
        my ($theirs, $ours) = map { debian_tree("$_-$module") }
                              qw(theirs ours);
        my $r = $rig->run([$program, '-q', $module], env => {
            APACHE_CONFDIR => $theirs, APACHE_STATE_DIRECTORY => "$theirs/var",
        });
        my $put = $rig->run([$PUT, dump_of($ours), ACME::Rig::module_path(),
                             "module=$module"]);

        is !!$put->{status}, !!$r->{status}, "$module: the same answer"
            or diag $r->{out}, $r->{err}, $put->{out};
        is_deeply links($ours), links($theirs), "$module: the same links"
            if !$r->{status};
    }
    return;
}

# Debian's modules, one of them enabled.
sub debian_tree
{
    my ($name) = @_;
    my $dir = $rig->make_dir("a2enmod/$name");

    $rig->make_dir("$dir/$_") for qw(mods-enabled var);
    symlink '/etc/apache2/mods-available', "$dir/mods-available"
        or die "$dir: $!\n";
    $rig->write_file("$dir/apache2.conf",
                     join '', map { "IncludeOptional mods-enabled/*.$_\n" }
                     qw(load conf));
    symlink "../mods-available/$_", "$dir/mods-enabled/$_"
        for qw(mpm_event.load mpm_event.conf);
    return $dir;
}

# As much of a document as is needed here.
sub dump_of
{
    my ($dir) = @_;

    return $rig->write_file("$dir.json", JSON::PP->new->utf8->encode({
        server => { config => "$dir/apache2.conf", root => $dir,
            modules_dir => '/usr/lib/apache2/modules', listeners => [],
            listen => [], pid_file => "$dir/pid", binary => '/usr/sbin/x',
            main => { server_name => undef, aliases => [],
                      directives => [] },
            port_map => { http => 80, https => 443 } },
        modules => {}, virtual_hosts => [], domains => [],
    }));
}

sub links
{
    my ($dir) = @_;

    return { map { m{([^/]+)$}; $1 => readlink } glob "$dir/mods-enabled/*" };
}

done_testing;
