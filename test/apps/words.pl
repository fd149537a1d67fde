# Perl: hashes of hashes, regular expressions, sprintf, a local file handle.
use strict;
use warnings;

srand(9);
$| = 1;
my (%follows, $text);
my @letters = ('a' .. 'z', (' ') x 6);
open(my $out, '>', 'result.txt') or die;
for my $round (1 .. 40) {
	$text = join '', map { $letters[int rand @letters] } 1 .. 120000;
	my $previous = '';
	while ($text =~ /(\w+)\s/g) {
		my $word = substr($1, 0, 3);
		$follows{$previous}{$word}++;
		$previous = $word;
	}
	my $pairs = 0;
	$pairs += scalar keys %{ $follows{$_} } for keys %follows;
	printf "%d %d %d\n", $round, scalar keys %follows, $pairs;
	print $out "$round $pairs\n";
}
for my $word (sort keys %follows) {
	my ($best) = sort { $follows{$word}{$b} <=> $follows{$word}{$a} || $a cmp $b } keys %{ $follows{$word} };
	print $out "$word $best\n";
}
