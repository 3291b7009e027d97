#!/usr/bin/perl

# The demo itself; support/demo has built everything before. Run that.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Find ();
use FindBin;
use lib "$FindBin::Bin/../t/lib";
use Getopt::Long;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

use ACME::Bench;
use ACME::Rig;
use ACME::Rig::Httpd;
use ACME::Rig::Pebble;

# Each site: its names, the first being what its certificate is called.
my @SITES = (['blog.test'], ['shop.test', 'www.shop.test'], ['wiki.test']);

# One more, which speaks only http until it is secured.
my $OLD = 'old.test';

my $STATE = $ENV{ACME_DEMO_STATE} // ACME::Rig::builddir() . '/demo.json';
my $json = JSON::PP->new->utf8->canonical->pretty;

# ------------------------------------------------------------------ words

sub say_step { printf "- %s\n", $_[0]; return }

sub show
{
    my ($title, $text) = @_;

    print "\n$title\n\n";
    print $_ eq '' ? "\n" : "    $_\n" for split /\n/, $text;
    print "\n";
    return;
}

# Rows as columns, the first row being the heads.
sub table
{
    my (@rows) = @_;
    my @width;

    for my $row (@rows) {
        for my $i (0 .. $#$row) {
            my $length = length $row->[$i];
            $width[$i] = $length if $length > ($width[$i] // 0);
        }
    }
    for my $row (@rows) {
        my $line = join '  ', map { sprintf '%-*s', $width[$_], $row->[$_] }
            0 .. $#$row;
        print $line =~ s/\s+\z//r, "\n";
    }
    return;
}

# ---------------------------------------------------------- configuration

# What an administrator writes: the directives for all sites, and a virtual
# host for http and one for https each.
sub sites
{
    my ($httpd, $ca) = @_;
    my ($http, $https) = ($httpd->http, $httpd->https);
    my $root = $httpd->htdocs;
    my $text = sprintf <<'END', $ca->directory, $ca->ca_file, $root;
ACMECertificateAuthority "%s"
ACMECACertificateFile "%s"
ACMEAgreement accepted

<Directory "%s">
    Require all granted
</Directory>
END

    for my $site (@SITES) {
        my ($name, @alias) = @$site;
        my $names = "    ServerName $name\n"
            . (@alias ? "    ServerAlias @alias\n" : '')
            . "    DocumentRoot \"$root/$name\"\n";
        $text .= "\n<VirtualHost *:$http>\n$names</VirtualHost>\n"
            . "<VirtualHost *:$https>\n$names    SSLEngine on\n"
            . "    ACMEDomain\n</VirtualHost>\n";
        $httpd->write_page("$name/index.html", "This is $name.\n");
    }
    return $text;
}

# ---------------------------------------------------------------- looking

# Fetch every name over https. With a file of roots the chain and the name
# are verified. Returns rows for the table and the number of failures.
sub look
{
    my ($httpd, $roots) = @_;
    my @rows = (['NAME', 'HTTP', 'VERIFIED', 'CERTIFICATE FOR', 'ISSUER',
                 'NOT AFTER', 'SERIAL']);
    my $bad = 0;

    for my $name (map { @$_ } @SITES) {
        my $got = $httpd->get_tls($name, '/', ca => $roots);
        my $verified = $got->{status} ? 1 : 0;
        $bad++ if !$verified || $got->{status} != 200;
        # What could not be verified is still worth a look.
        $got = $httpd->get_tls($name, '/') if !$verified;
        my $cert = $got->{cert} // { names => [] };
        push @rows, [$name, $got->{status} || $got->{error},
            $verified ? 'yes' : 'no', join(' ', @{$cert->{names}}) || '-',
            ($cert->{issuer} // '-') =~ s{.*/CN=}{}r,
            $cert->{not_after} ? POSIX::strftime('%Y-%m-%d %H:%M',
                gmtime $cert->{not_after}) : '-', $cert->{serial} // '-'];
    }
    return ($bad, @rows);
}

# Old children may answer for a moment after a graceful restart.
sub look_until_verified
{
    my ($httpd, $roots) = @_;
    my ($bad, @rows);

    eval {
        ACME::Rig::wait_for(10, 'the certificates', sub {
            ($bad, @rows) = look($httpd, $roots);
            return !$bad;
        });
    };
    return ($bad, @rows);
}

sub acmectl
{
    my ($httpd, @args) = @_;

    print "\n\$ acmectl @args\n";
    return $httpd->acmectl(\@args, show => 1, timeout => 300)->{status};
}

# --------------------------------------------------------------- renewing

# Renew a certificate while clients fetch its site as fast as they can, each
# time on a new connection, and verify what they get. Says what httpd and
# they had of it. Returns the exit status.
sub renew_under_load
{
    my ($rig, $httpd, $roots) = @_;
    my $name = $SITES[1][0];
    my ($pid, @children) = ($httpd->pid, $httpd->children);

    print "\nA renewal, while four clients connect to $name again and again, "
        . "each as\nsoon as it has got the page:\n";
    my $load = ACME::Bench::load_begin($rig, port => $httpd->https,
        name => $name, threads => 4, roots => $roots);
    sleep 0.5;
    my $status = acmectl($httpd, 'renew', '--force', $name);
    my $done = time;
    sleep 1;
    $load = ACME::Bench::load_end($load);
    my $gone = grep { !ACME::Rig::exists_pid($_) } @children;
    my %seen = %{$load->{certificates}};
    my ($old, $new) = sort { $seen{$a}[0] <=> $seen{$b}[0] } keys %seen;
    my $late = $new ? $seen{$old}[1] - $done : undef;

    print "\n";
    table(['httpd:', sprintf 'process %d before, %d after', $pid,
           $httpd->pid // 0],
          ['its children:', sprintf '%d before, %s', scalar @children,
           $gone ? "$gone gone" : 'all still there'],
          ['connections:', sprintf '%d, %d failed, the slowest %.0f ms',
           $load->{connections} + $load->{failed}, $load->{failed},
           $load->{longest}],
          ['serial:', sprintf '%s before, %s after', lc($old // '-'),
           lc($new // $old // '-')],
          ['the old one:', defined $late ? sprintf('last served %.2f s %s '
           . 'acmectl ended', abs $late, $late < 0 ? 'before' : 'after')
           : 'still served']);
    print $load->{err};
    return $status || $load->{failed} || $gone || !defined $late
        || $late >= 1 || ($httpd->pid // 0) != $pid ? 1 : 0;
}

# --------------------------------------------------------- an old site

# A site as it was written years ago: http only. Returns its file.
sub old_site
{
    my ($rig, $httpd) = @_;
    my ($http, $pages) = ($httpd->http, $httpd->htdocs($OLD));

    $httpd->write_page("$OLD/index.html", "This is $OLD.\n");
    return $rig->write_file($httpd->root . '/conf/sites/old.conf', <<"END");
# 2009-03-14: moved here from the old server
<VirtualHost *:$http>
    ServerName $OLD
    ServerAlias www.$OLD
    DocumentRoot "$pages"
</VirtualHost>
END
}

# All files of the configuration: { path => "mode digest" }.
sub tree
{
    my ($httpd) = @_;
    my %found;

    File::Find::find({ no_chdir => 1, wanted => sub {
        my @st = lstat $File::Find::name;
        $found{$File::Find::name} = sprintf '%o %d:%d %s', @st[2, 4, 5],
            -f _ ? sha256_hex(ACME::Rig->read_file($File::Find::name)) : '';
    } }, $httpd->root . '/conf');
    return \%found;
}

# What a client gets by http and by https: rows for the table.
sub look_at_old
{
    my ($httpd, $roots, $when) = @_;
    my $plain = $httpd->get($OLD, '/');
    my $tls = $httpd->get_tls($OLD, '/', ca => $roots);

    return [$when, $plain->{status} . ' '
            . ($plain->{headers}{location} // $plain->{body} =~ s/\n//r),
            $tls->{status} ? "$tls->{status} " . $tls->{body} =~ s/\n//r
                           : 'not verified'];
}

# Secure the old site: the plan, the run, what clients get, and all of it
# undone. Returns the exit status.
sub secure_and_back
{
    my ($httpd, $roots, $file) = @_;
    my $before = tree($httpd);
    my @secure = ('secure', '--redirect', $OLD, "www.$OLD");
    my @rows = (['', 'HTTP', 'HTTPS, VERIFIED'],
                look_at_old($httpd, $roots, 'before:'));

    show("An old site that speaks only http ($file):",
         ACME::Rig->read_file($file));
    print "What would be done, and is not yet:\n";
    my $status = acmectl($httpd, @secure, '--plan');
    my $same = same($before, tree($httpd));
    print $same ? "\nNothing was touched.\n" : "\nThe plan left traces!\n";
    my $restarts = $httpd->restarts;
    $status ||= $same ? acmectl($httpd, '--yes', @secure) : 1;
    push @rows, look_at_old($httpd, $roots, 'secured:');
    printf "\nGraceful restarts of httpd: %d\n",
        $restarts = $httpd->restarts - $restarts;
    $status ||= acmectl($httpd, '--yes', 'rollback');
    push @rows, look_at_old($httpd, $roots, 'undone:');
    print "\n";
    table(@rows);
    $same = same($before, tree($httpd));
    printf "\nThe configuration is %s.\n", $same
        ? 'as it was, to the byte' : 'NOT as it was';
    return $status || !$same || $restarts != 1 || $rows[2][2] !~ /^200 /
        || $rows[2][1] !~ /^308 https:/ || $rows[3][1] ne $rows[1][1]
        ? 1 : 0;
}

sub same
{
    my ($one, $other) = @_;

    return join("\0", map { ($_, $one->{$_}) } sort keys %$one)
        eq join("\0", map { ($_, $other->{$_}) } sort keys %$other);
}

# ------------------------------------------------------------ keep and stop

sub read_state
{
    my $text = ACME::Rig->read_file($STATE) // return undef;

    return eval { $json->decode($text) };
}

# The processes of a demo that was kept and still belong to it: they have
# its directory in their command line or work there.
sub still_running
{
    my ($state) = @_;

    return grep {
        index((ACME::Rig->read_file("/proc/$_/cmdline") // '') . ' '
              . (readlink("/proc/$_/cwd") // ''), $state->{dir}) >= 0
    } @{$state->{pids}};
}

sub stop_kept
{
    my $state = read_state();
    my @pids = $state ? still_running($state) : ();

    if (!$state) {
        print "No demo was left running.\n";
        return 0;
    }
    kill 'TERM', @pids;
    eval {
        ACME::Rig::wait_for(20, 'the processes to end', sub {
            return !grep { ACME::Rig::exists_pid($_) } @pids;
        });
        1;
    } or kill 'KILL', @pids;
    File::Path::remove_tree($state->{dir})
        if $state->{dir} =~ m{/acme-rig-\w+$};
    unlink $STATE;
    printf "Stopped %d processes, removed %s.\n", scalar @pids, $state->{dir};
    return 0;
}

sub keep
{
    my ($rig, $httpd, $roots) = @_;
    my $name = $SITES[0][0];
    my @pids = ($httpd->pid, $rig->disown);
    my ($port, $dir) = ($httpd->https, $rig->dir);

    $rig->write_file($STATE, $json->encode({ dir => $dir, pids => \@pids }),
                     0600);
    show('It goes on running. Look at it, for example by', <<"END");
curl --cacert $roots --resolve $name:$port:127.0.0.1 https://$name:$port/
@{[join ' ', ACME::Rig::acmectl_path(), '--httpd', $httpd->binary]} \\
    -d @{[$httpd->root]} -f @{[$httpd->config]} status
END
    print "The end of it: sh support/demo --stop\n";
    return;
}

# ------------------------------------------------------------------- main

sub demo
{
    my ($keep) = @_;
    my $rig = ACME::Rig->new(session => 1);
    my $httpd = ACME::Rig::Httpd->new($rig);
    my $ca = ACME::Rig::Pebble->new($rig, http => $httpd->http,
                                    https => $httpd->https)->start;

    say_step('the CA: Pebble, ' . $ca->directory);
    my $text = sites($httpd, $ca);
    my $old = old_site($rig, $httpd);
    $httpd->write_config($text . "\nInclude conf/sites/*.conf\n");
    $httpd->start;
    my $restarts = $httpd->restarts;
    say_step(sprintf 'httpd: process %d, http on port %d, https on port %d, '
        . 'no certificate yet', $httpd->pid, $httpd->http, $httpd->https);
    show('The configuration of its sites (' . $httpd->config . '):', $text);

    my $roots = $ca->roots_file;
    print "What is served before:\n\n";
    my (undef, @before) = look($httpd, $roots);
    table(@before);

    my $status = acmectl($httpd, 'issue', map { $_->[0] } @SITES);
    print "\nWhat is served now, verified against the CA's root:\n\n";
    my ($bad, @after) = look_until_verified($httpd, $roots);
    table(@after);
    $status ||= acmectl($httpd, 'renew');
    $status ||= renew_under_load($rig, $httpd, $roots);
    $status ||= acmectl($httpd, 'certificates');
    $status ||= 1 if $bad;
    $restarts = $httpd->restarts - $restarts;
    print $status ? "\nThat went wrong: see above.\n"
        : sprintf("\nAll %d names serve trusted certificates; httpd was %s "
                  . "restarted.\n", @after - 1,
                  $restarts ? "$restarts times" : 'never');
    $status ||= secure_and_back($httpd, $roots, $old);
    print $httpd->error_log_tail(10), "\n" if $status;
    keep($rig, $httpd, $roots) if $keep;
    return $status;
}

my ($keep, $stop);
GetOptions('keep' => \$keep, 'stop' => \$stop)
    or die "usage: $0 [--keep | --stop]\n";
exit stop_kept() if $stop;
my $state = read_state();
if ($state && still_running($state)) {
    die "A demo is running already; end it by: sh support/demo --stop\n";
}
STDOUT->autoflush(1);
exit demo($keep);
