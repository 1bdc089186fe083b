"""How far codecs are apart on the crops that judge: rate curves by crop, margins over photographs."""
