// sentencepiece is a C++ library: only Sources/CSentencePiece includes its header. This module carries
// the search paths of its .pc file and the link flag.
#pragma once
