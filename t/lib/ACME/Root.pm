package ACME::Root;

# A configuration tree of t/roots, set up for a test: copied to a directory
# of its own, its placeholders filled in, read by the real httpd, changed by
# acmectl, compared byte for byte.
#
#   my $root = ACME::Root->new($rig, 'rhel');
#   my $before = $root->snapshot;
#   $root->acmectl('--yes', 'install', @{$root->{secure}});
#   print $root->diff($before);
#
# t/roots/README.md says what stands in a tree's expect.json and which
# placeholders there are.

use strict;
use warnings;

# What is not said below is as with the rig's own httpd: pid, stop, get,
# restarts, ...
use parent 'ACME::Rig::Httpd';

use File::Basename qw(dirname);
use File::Find ();
use JSON::PP ();

use ACME::Rig ();

our $ROOTS = "$ACME::Rig::TOP/t/roots";

# The names of all trees.
sub names
{
    return sort map { m{([^/]+)/expect\.json$} } glob "$ROOTS/*/expect.json";
}

# Options: ports (http, https, alt, alts), cert, key (PEM files), store, as
# (the name of its directory, where a tree is made more than once).
sub new
{
    my ($class, $rig, $name, %opt) = @_;
    my $dir = $rig->path('roots', $opt{as} // $name);
    my ($http, $https, $alt, $alts) = @{$opt{ports}};
    my $self = bless { %{_expect($name)}, name => $name, rig => $rig,
        dir => $dir, root => $dir, http => $http, https => $https,
        binary => $ENV{HTTPD} || ACME::Rig::Httpd::apxs('SBINDIR') . '/'
            . ACME::Rig::Httpd::apxs('PROGNAME'),
    }, $class;

    $self->{tree} = "$dir/tree";
    $rig->make_dir("$dir/$_", 0755) for qw(tree www run);
    $rig->make_dir("$dir/logs", 0700);
    $self->{store} = $opt{store} // "$dir/acme";
    $self->{fill} = {
        ROOT => $self->{tree}, WWW => "$dir/www", RUN => "$dir/run",
        LOGS => "$dir/logs", STORE => $self->{store}, HTTP => $http,
        HTTPS => $https, ALT => $alt, ALTS => $alts,
        CERT => $opt{cert}, KEY => $opt{key}, USER => 'www-data',
        GROUP => 'www-data', LIBEXEC => ACME::Rig::Httpd::apxs('LIBEXECDIR'),
        ACME => ACME::Rig::module_path(),
    };
    $self->{fill}{RIG} = $self->filled(<<'END');
<IfModule acme_module>
    ACMEStoreDir "@STORE@"
    ACMEPortMap http:@HTTP@ https:@HTTPS@
    ACMEManager off
</IfModule>
PidFile "@RUN@/httpd.pid"
DefaultRuntimeDir "@RUN@"
Mutex "file:@RUN@" default
GracefulShutdownTimeout 2
END
    $self->{linked} = { map { $_ => 1 }
        $rig->run([$self->{binary}, '-l'])->{out} =~ /^\s+mod_(\S+)\.c$/mg };
    $self->_copy($_) for @{$self->{bases}};
    $self->_links;
    return $rig->adopt($self);
}

# ------------------------------------------------------------ description

# A tree's expect.json over those of the trees that it is based on; `bases`
# is the list of their directories, the lowest first.
sub _expect
{
    my ($name) = @_;
    my $text = ACME::Rig->read_file("$ROOTS/$name/expect.json")
        // die "there is no tree $name in $ROOTS\n";
    my $expect = eval { JSON::PP->new->utf8->decode($text) }
        // die "$ROOTS/$name/expect.json: $@";
    my $base = $expect->{base} ? _expect($expect->{base})
                               : { bases => [], enable => {} };

    for my $own (qw(whole refused links args names hosts secure enhance)) {
        delete $base->{$own} if $own ne 'links' && $own ne 'args';
    }
    $expect->{enable} = { %{$base->{enable}}, %{$expect->{enable} // {}} };
    $expect->{config} //= $base->{config} // 'conf/httpd.conf';
    return { %$base, args => [], %$expect,
             links => { %{$base->{links} // {}}, %{$expect->{links} // {}} },
             bases => [@{$base->{bases}}, "$ROOTS/$name/files"] };
}

# ------------------------------------------------------------------ making

# A text with its placeholders filled in.
sub filled
{
    my ($self, $text) = @_;

    $text =~ s{\@([A-Z]+)\@}{$self->{fill}{$1}
               // die "$self->{name}: no placeholder \@$1\@\n"}ge;
    return $text;
}

# The other way round: what another machine would get, too.
sub unfilled
{
    my ($self, $text) = @_;
    my $fill = $self->{fill};

    for my $name (sort { length $fill->{$b} <=> length $fill->{$a} }
                  grep { !/^(?:RIG|USER|GROUP)$/ } keys %$fill) {
        my $value = quotemeta $fill->{$name};
        $value = "(?<![\\d.])$value(?!\\d)" if $fill->{$name} =~ /^\d+$/;
        $text =~ s/$value/\@$name\@/g;
    }
    return $text;
}

# What is linked into this httpd cannot be loaded, and is not missed.
sub _load_lines
{
    my ($self, $text) = @_;

    $text =~ s{^(\s*)(LoadModule (\w+)_module\b)}
              {$1 . ($self->{linked}{$3} ? "# $2" : $2)}gme;
    return $text;
}

sub _copy
{
    my ($self, $files) = @_;

    return if !-d $files;              # a tree that is its base's files
    File::Find::find({ no_chdir => 1, wanted => sub {
        my $path = $File::Find::name;
        return if -d $path;
        my $to = $self->{tree} . substr $path, length $files;
        my $text = $self->_load_lines(
            $self->filled(ACME::Rig->read_file($path)));
        $self->{rig}->write_file($to, $text, 0644);
        $self->_places($text);
    } }, $files);
    return;
}

# Directories and pages for what a text names below @WWW@.
sub _places
{
    my ($self, $text) = @_;
    my $www = $self->{fill}{WWW};

    while ($text =~ m{^\s*DocumentRoot\s+"?\Q$www\E/([^"\n\$]+?)"?\s*$}gmi) {
        $self->{rig}->write_file("$www/$1/index.html", "this is $1\n", 0644);
    }
    return;
}

# Debian's links of what is enabled, and the tree's own.
sub _links
{
    my ($self) = @_;
    my %link = %{$self->{links}};

    for my $kind (keys %{$self->{enable}}) {
        for my $name (split ' ', $self->{enable}{$kind}) {
            for my $file ($kind eq 'mods' ? ("$name.load", "$name.conf")
                                          : "$name.conf") {
                $link{"$kind-enabled/$file"} = "../$kind-available/$file"
                    if -e "$self->{tree}/$kind-available/$file";
            }
        }
    }
    for my $path (sort keys %link) {
        my $full = "$self->{tree}/$path";
        $self->{rig}->make_dir(dirname($full));
        symlink $self->filled($link{$path}), $full
            or die "$full: $!\n";
    }
    return;
}

# ------------------------------------------------------------------ running

sub tree { return $_[0]{tree} }
sub store { return $_[0]{store} }
sub config { return "$_[0]{tree}/$_[0]{config}" }

# What Debian's envvars exports.
sub env
{
    my ($self) = @_;
    my $fill = $self->{fill};

    return { APACHE_RUN_DIR => $fill->{RUN}, APACHE_LOG_DIR => $fill->{LOGS},
        APACHE_PID_FILE => "$fill->{RUN}/httpd.pid",
        APACHE_RUN_USER => $fill->{USER}, APACHE_RUN_GROUP => $fill->{GROUP},
        ACMECTL => ACME::Rig::acmectl_path(), ACME_MODULE => $fill->{ACME} };
}

sub httpd
{
    my ($self, @args) = @_;

    return $self->{rig}->run([$self->{binary}, '-d', $self->{tree}, '-f',
        $self->config, @{$self->{args}}, @args], env => $self->env);
}

# Start httpd; the TLS port need not be open yet.
sub start
{
    my ($self) = @_;
    my $r = $self->httpd('-k', 'start');

    die "httpd did not start: $r->{err}\n" if $r->{status};
    ACME::Rig::wait_for(20, 'the start of httpd',
                        sub { $self->pid && $self->restarts });
    return $self->pid;
}

# Wherever the tree has its log.
sub error_log
{
    my ($self) = @_;

    return join '', map { ACME::Rig->read_file($_) // '' }
        glob "$self->{dir}/logs/*error*";
}

# acmectl's global options for this tree.
sub acmectl_options
{
    my ($self) = @_;

    return ('--httpd', $self->{binary}, '-d', $self->{tree}, '-f',
            $self->config, @{$self->{args}});
}

sub acmectl
{
    my ($self, @args) = @_;
    my $opt = ref $args[-1] eq 'HASH' ? pop @args : {};

    return $self->{rig}->acmectl([$self->acmectl_options, @args], %$opt,
        env => { %{$self->env}, %{$opt->{env} // {}} });
}

# The document of DUMP_ACME: { json, err }; mod_acme is loaded where the tree
# does not do so.
sub document
{
    my ($self) = @_;
    my $r = $self->httpd('-C', "LoadModule acme_module $self->{fill}{ACME}",
                         '-t', '-D', 'DUMP_ACME');

    $r->{json} = eval { JSON::PP->new->utf8->decode($r->{out}) };
    return $r;
}

# FILE:LINE of the description as httpd says it.
sub place
{
    my ($self, $place) = @_;

    return $place =~ /:\d+$/ ? "$self->{tree}/$place" : $place;
}

# ---------------------------------------------------------------- comparing

# All of the tree: { path => "type mode owner group content" }.
sub snapshot
{
    my ($self) = @_;
    my %found;

    File::Find::find({ no_chdir => 1, wanted => sub {
        my $path = $File::Find::name;
        my @st = lstat $path;
        $found{substr $path, length $self->{tree}} = sprintf '%o %d %d %s',
            @st[2, 4, 5], -l _ ? readlink $path : -f _
                ? ACME::Rig->read_file($path) : '';
    } }, $self->{tree});
    return \%found;
}

# What differs between two snapshots (the later one: now), in words.
sub changed
{
    my ($self, $before, $after) = @_;
    my %all = (%$before, %{$after //= $self->snapshot});

    return map {
        my ($old, $new) = ($before->{$_}, $after->{$_});
        !defined $old ? "$_: new" : !defined $new ? "$_: gone"
            : $old ne $new ? "$_: changed" : ();
    } sort keys %all;
}

# The difference as a unified diff, with placeholders, and with a line for
# every new link, directory and mode that is not the usual one.
sub diff
{
    my ($self, $before, $after) = @_;
    my $text = '';

    $after //= $self->snapshot;
    for my $what ($self->changed($before, $after)) {
        my ($path) = $what =~ /^(.*): \w+$/;
        my ($old, $new) = map { _part($_->{$path}) } $before, $after;
        $text .= "new $new->{type} $path" . ($new->{type} eq 'link'
            ? " -> $new->{content}\n" : " $new->{mode}\n")
            if $new && !$old;
        $text .= "gone $path\n" if !$new;
        $text .= "mode $path $old->{mode} -> $new->{mode}\n"
            if $old && $new && $old->{mode} ne $new->{mode};
        $text .= $self->_lines($path, $old, $new)
            if !grep { $_ && $_->{type} ne 'file' } $old, $new;
    }
    return $self->unfilled($text);
}

sub _part
{
    my ($entry) = @_;
    my ($mode, $uid, $gid, $content) = ($entry // return undef)
        =~ /^(\d+) (\d+) (\d+) (.*)\z/s;
    my %type = ('04' => 'directory', '10' => 'file', '12' => 'link');

    return { type => $type{sprintf '%02o', oct($mode) >> 12} // 'odd',
             content => $content,
             mode => sprintf('%04o %d:%d', oct($mode) & 07777, $uid, $gid) };
}

sub _lines
{
    my ($self, $path, $old, $new) = @_;
    my @files = map {
        $self->{rig}->write_file("$self->{dir}/diff-$_->[0]",
                                 $_->[1] ? $_->[1]{content} : '')
    } ['old', $old], ['new', $new];

    return $self->{rig}->run(['diff', '-u', '--label', "a$path", '--label',
                              "b$path", @files])->{out};
}

1;
