/* letters.h - letters of blocks, LETTER_HIGH rows of LETTER_WIDE cells, to be read from three metres. */
#ifndef HANDSEL_LETTERS_H
#define HANDSEL_LETTERS_H

#include <stdbool.h>

#define LETTER_HIGH 5
#define LETTER_WIDE 5
#define LETTER_CHECK '\1'	/* the symbols beside PASS and FAIL */
#define LETTER_CROSS '\2'

/* Is the cell of a letter filled? A-Z, 0-9, "-._", the symbols; small letters are capitals, all else is blank. */
bool letter_cell(char letter, int row, int column);

#endif
