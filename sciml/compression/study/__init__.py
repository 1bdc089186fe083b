"""What the study measures: codecs compared, bits accounted for, parts left out, the installation tested."""
