#!/usr/bin/perl
# support/schema/embed: schemas become one C file, the same for the same
# files, and none is forgotten.
use strict;
use warnings;
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $embed = "$FindBin::Bin/../support/schema/embed";
my $top = tempdir(CLEANUP => 1);

sub put
{
    my ($name, $text) = @_;

    (my $folder = "$top/$name") =~ s{/[^/]*$}{};
    make_path($folder);
    open my $out, '>:raw', "$top/$name" or die "$name: $!";
    print $out $text;
    close $out or die "$name: $!";
}

# What embed prints and how it ends.
sub embed
{
    my $command = join ' ', map { "'$_'" } 'sh', $embed, @_;
    my $text = qx($command 2>$top/err);
    my $status = $? >> 8;

    open my $in, '<', "$top/err" or die;
    my $said = do { local $/; <$in> } // '';
    return ($status, $text, $said);
}

# Backslashes, quotes, UTF-8 and a missing final newline survive: the
# compiler gives back the bytes that are in the file.
my %texts = (
    'schemas/acme/a-b.json' => "{ \"pattern\": \"^\\\\.\\\"[??=]%d\" }\n",
    'schemas/acme/a.json' => "{\n  \"title\": \"\xc3\xa4\xe2\x80\xa6\"\n}\n",
    'schemas/jose/z.json' => '{}',
);
put($_, $texts{$_}) for keys %texts;
my ($status, $text) = embed($top, sort keys %texts);
is $status, 0, 'embed succeeds';

make_path("$top/inc/schema");
put('inc/schema/internal.h', <<'END');
#include <stddef.h>
typedef size_t apr_size_t;
typedef struct { const char *name, *text; apr_size_t len; } schema_text_t;
extern const schema_text_t schema_texts[];
extern const apr_size_t schema_texts_count;
END
put('embedded.c', $text . <<'END');
#include <stdio.h>
int main(void)
{
    for (apr_size_t i = 0; i < schema_texts_count; i++) {
        printf("%s %zu\n", schema_texts[i].name, schema_texts[i].len);
        fwrite(schema_texts[i].text, 1, schema_texts[i].len, stdout);
        printf("\n");
    }
    return 0;
}
END
my $cc = $ENV{CC} || 'cc';
is system("$cc -std=gnu99 -Wall -Werror -I$top/inc -o $top/show"
          . " $top/embedded.c"), 0, 'the C file compiles';
is qx($top/show), join('', map {
    (my $name = $_) =~ s{^schemas/|\.json$}{}g;
    "$name " . length($texts{$_}) . "\n$texts{$_}\n"
} 'schemas/acme/a.json', 'schemas/acme/a-b.json', 'schemas/jose/z.json'),
    'it holds every byte, sorted by name';

# The order of the arguments does not matter, nor does one given twice.
my (undef, $again) = embed($top, 'schemas/jose/z.json',
                           reverse(sort keys %texts));
is $again, $text, 'the same files give the same output';

# A schema that Makefile.am does not list would be missing in the program.
put('schemas/acme/forgotten.json', "{}\n");
($status, undef, my $said) = embed($top, sort keys %texts);
isnt $status, 0, 'an unlisted schema is an error';
like $said, qr{schemas/acme/forgotten\.json is not listed}, 'it is named';
unlink "$top/schemas/acme/forgotten.json";

# A listed schema that is absent or empty.
($status, undef, $said) = embed($top, 'schemas/acme/none.json',
                                sort keys %texts);
isnt $status, 0, 'an absent schema is an error';
like $said, qr{none\.json is absent or empty}, 'it is named';
put('schemas/acme/none.json', '');
($status, undef, $said) = embed($top, 'schemas/acme/none.json',
                                sort keys %texts);
isnt $status, 0, 'an empty schema is an error';

($status, undef, $said) = embed($top);
isnt $status, 0, 'no schema at all is an error';
like $said, qr{usage}, 'the usage is shown';

done_testing;
