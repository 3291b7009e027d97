package ACME::OldSite;

# An old site that speaks only http, for the tests of the verbs that edit:
# a rig with a CA and an httpd whose virtual hosts stand in a file of their
# own, and what must be true of the files before and after.
#
#   my $site = ACME::OldSite->new(hosts => $text)->start;
#   my $r = $site->secure('a.test');
#   is_deeply $site->tree, $before, 'as before';

use strict;
use warnings;

use parent 'ACME::Scene';

use Digest::SHA qw(sha256_hex);
use File::Find ();

use ACME::Rig ();

# Options: hosts (the text of conf/site.conf; %HTTP% and %HTTPS% are the
# ports), text (more lines of httpd.conf), settings (1: the server says what
# is needed to order), and those of ACME::Scene.
sub new
{
    my ($class, %opt) = @_;
    my %own = map { $_ => delete $opt{$_} } qw(hosts text settings);
    my $self = $class->SUPER::new(%opt);

    $self->{site} = $self->httpd->root . '/conf/site.conf';
    $self->write($own{hosts});
    $self->{text} = ($own{text} // '') . "<Directory \"/\">\n"
        . "    Require all granted\n</Directory>\nInclude conf/site.conf\n";
    $self->{text} = $self->settings . $self->{text} if $own{settings};
    $self->httpd->write_config($self->{text});
    return $self;
}

sub site { return $_[0]{site} }

# What the server says of the CA.
sub settings
{
    my ($self) = @_;
    my $ca = $self->ca;

    return 'ACMECertificateAuthority ' . $ca->directory . "\n"
        . 'ACMECACertificateFile "' . $ca->ca_file . "\"\n"
        . "ACMEAgreement accepted\nACMEContact none\n";
}

# The options that say the same.
sub options
{
    my ($self) = @_;
    my $ca = $self->ca;

    return ('--agree-tos', '--ca', $ca->directory, '--ca-certificate',
            $ca->ca_file, '--contact', 'none');
}

# Write the site's file.
sub write
{
    my ($self, $text) = @_;
    my ($http, $https) = ($self->httpd->http, $self->httpd->https);

    $text =~ s/%HTTP%/$http/g;
    $text =~ s/%HTTPS%/$https/g;
    return $self->rig->write_file($self->{site}, $text, 0644);
}

sub text { return $_[0]->rig->read_file($_[0]{site}) }

# Everything that httpd reads: { path => "mode owner content time" }.
sub tree
{
    my ($self) = @_;
    my $dir = $self->httpd->root . '/conf';
    my %tree;

    File::Find::find({ no_chdir => 1, wanted => sub {
        my @st = lstat $File::Find::name;
        my $content = -l _ ? readlink $File::Find::name : -f _
            ? sha256_hex(ACME::Rig->read_file($File::Find::name) // '') : '';
        $tree{substr $File::Find::name, length $dir}
            = sprintf '%o %d:%d %s', @st[2, 4, 5], $content;
    } }, $dir);
    return \%tree;
}

1;
