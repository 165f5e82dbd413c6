#!/bin/sh
# A plain script that only prints: it is run once a command, which comes on standard input.
# SEND means every order as it was told; SEND ORDER PRICE SHARES one order; REFUSE REASON none.
legs=$(grep -o '"limit"' | wc -l)
if [ "$legs" -le 4 ]; then
  echo "SEND"
else
  echo "REFUSE $legs legs are too many"
fi
