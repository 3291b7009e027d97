#!/usr/bin/perl

# A change is tested by httpd before it is live: the whole configuration with
# the new contents at the paths where they will be.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Rig;
use ACME::Rig::Httpd;

ACME::Rig::skip_unless_able();
my $rig = ACME::Rig->new;
my $httpd = ACME::Rig::Httpd->new($rig);
my $try = ACME::Rig::builddir() . '/t/lib/journal_try';
my ($available, $enabled) = map { $httpd->root . "/conf/sites-$_" }
    qw(available enabled);
my $port = $httpd->http;

sub vhost
{
    my ($name, $more) = @_;

    return "<VirtualHost *:$port>\n    ServerName $name\n" . ($more // '')
        . "</VirtualHost>\n";
}

# Debian's way: what is enabled is a link to what is available.
$rig->make_dir($_, 0755) for $available, $enabled;
$rig->write_file("$available/a.conf", vhost('a.test'));
symlink "$available/a.conf", "$enabled/a.conf" or die "cannot link: $!\n";
$httpd->write_config("IncludeOptional $enabled/*.conf\n");
$httpd->start;
my $inode = (stat "$available/a.conf")[1];

# The change that is tried; what journal_try says and how it ends.
sub try_change
{
    my (@changes) = @_;

    return $rig->run([$try, $rig->path('journal'), @changes, '--',
        @{$httpd->command('-t')}], env => $httpd->env);
}

# What httpd refuses is never live, and its complaint names the real path.
{
    my $r = try_change('modify', "$enabled/a.conf",
        vhost('a.test', "    NoSuchDirective on\n"));
    is $r->{status}, 4, 'a wrong directive is refused';
    like $r->{out}, qr{line 3 of \Q$enabled\E/a\.conf},
        '... with the line, of the file as httpd names it';
    is $rig->read_file("$available/a.conf"), vhost('a.test'),
        '... and the live file is what it was';
    SKIP: {
        skip 'no mount namespace: tried on the live file and undone', 1
            if !ACME::Rig::may_mount();
        is((stat "$available/a.conf")[1], $inode, '... the same inode even');
    }
}

# A name that does not exist yet is tested, too: a new file and its link.
{
    my @new = ('symlink', "$enabled/b.conf", '../sites-available/b.conf');
    my $r = try_change('create', "$available/b.conf", "<VirtualHost *>\n",
        @new);
    is $r->{status}, 4, 'a new file that is wrong is refused';
    like $r->{out}, qr{\Q$enabled\E/b\.conf}, '... under its new name';
    ok !-e "$available/b.conf" && !-l "$enabled/b.conf",
        '... which is not there';
    $r = try_change('create', "$available/b.conf", vhost('b.test'), @new);
    is $r->{status}, 0, 'one that is right is live' or diag $r->{out};
    is $rig->read_file("$enabled/b.conf"), vhost('b.test'), '... with its link';
}

# The files are tested together: each half of a change alone would fail.
{
    my @half = ('modify', "$available/a.conf",
        vhost('a.test', "    Include $available/part\n"));
    is try_change(@half)->{status}, 4, 'half of a change is refused';
    my $r = try_change(@half, 'create', "$available/part",
        "ServerAlias alias.test\n");
    is $r->{status}, 0, 'both halves are accepted' or diag $r->{out};
    $httpd->graceful;
    ok $httpd->is_running, 'and httpd loads them';
}

# Nothing of the trying is left.
is_deeply [grep { /acmectl-/ } map { glob "$_/.*" } $available, $enabled], [],
    'no temporary is left';
is_deeply [glob $rig->path('journal') . '/trash/*'], [], 'nothing is in trash';
ok !-e $rig->path('journal') . '/active', 'no transaction is left';
unlike $rig->read_file('/proc/self/mounts'), qr{\Q$enabled\E},
    'nothing is mounted';
is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
